/**
 * What the scripts share: names of keys, the indexes that an event is in, and tallies. Everything is under one hash tag,
 * so that a cluster keeps it in one slot. What a script may refuse it refuses before it changes anything; those that write
 * say so in their first line, so that the server refuses them as a whole while it cannot take writes.
 *
 * Keys, each after the prefix `P`:
 *
 * - `event:<key>`: a hash, the event. Lists in it are JSON.
 * - `delivery:<id>`: a hash, the delivery, its body as bytes; `of:<id>`: a list, the keys of its events.
 * - `received`, `listed:<state>:<source>`: sorted sets of all events, and of those of a state and a source; `deliveries` of
 *   all deliveries. Members sort by the time of receipt, then by arrival.
 * - `due:<replayed>:<source>`, `waits:<replayed>:<source>:<type>`: what is due when, as a whole and by type; `types:<source>`:
 *   types of which something waits. `suspects:<source>`: what is due and has crashed. `leases:<source>`: what runs.
 * - `lane:<lane>`: keys that wait for others of their lane, in the order of their places; `heads:<lane>`: those they wait for.
 * - `variants:<key>`: keys of the variants of an event. `sources`: all sources there ever were.
 * - `tally:<minute>`: a hash from ways to counts; `tallies`: the minutes there are; `totals`: a hash, the sums of all time;
 *   `folds`: how often minutes were summed up into hours.
 * - `meta`: a hash, the version of all this.
 * - `claimed:<fence>`: what a claim gave, for a minute: a claim that is asked again after its answer was lost gives it again.
 */

import { forever } from "@webhook-inbox/core/records";

export const library: string = `
-- The one key that is always there: where it is missing, this is not the server that holds the rest.
local P = string.sub(KEYS[1], 1, -5)
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('NOTHERE the inbox is not on this server') end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function int(number) return string.format('%.0f', number) end
local function place(at, seq) return string.format('%016.0f%016.0f', math.max(0, at), seq) end
local function member(e) return e.place .. e.key end
local function keyOf(found) return string.sub(found, -26) end

-- Of an event only what the indexes are made of; nil if there is none.
local function read(key)
  local f = redis.call('HMGET', P .. 'event:' .. key, 'place', 'source', 'type', 'state', 'replayed', 'crashes', 'due_at',
    'lease_ends_at', 'fence', 'delivery', 'lane', 'lane_max', 'lane_place', 'lane_head', 'finished')
  if not f[1] then return nil end
  return { key = key, place = f[1], source = f[2], type = f[3], state = f[4], replayed = f[5], crashes = tonumber(f[6]),
    due_at = tonumber(f[7]), lease_ends_at = tonumber(f[8] or '0'), fence = f[9], delivery = f[10],
    lane = f[11], lane_max = f[12], lane_place = f[13], lane_head = f[14], finished = f[15] }
end

local forever = ${forever}
local function waitsInLane(e) return e.lane and e.state == 'pending' and e.due_at >= forever end

-- What is to be taken out of sorted sets, and then put into them: where many events are moved, each set is changed once.
-- Nil where a script looks at what it has changed, and each change is made at once.
local out, into = nil, nil
local function batch() out, into = {}, {} end
local function queue(sets, name, ...)
  local list = sets[name]
  if not list then list = {}; sets[name] = list end
  for _, value in ipairs({ ... }) do list[#list + 1] = value end
end
local function zadd(name, score, m)
  if into then queue(into, name, score, m) else redis.call('ZADD', name, score, m) end
end
local function zrem(name, m)
  if out then queue(out, name, m) else redis.call('ZREM', name, m) end
end
local function flush(command, sets)
  for name, list in pairs(sets or {}) do
    for first = 1, #list, 1000 do redis.call(command, name, unpack(list, first, math.min(first + 999, #list))) end
  end
end

-- Enters an event in the indexes of its state.
local function enter(e)
  local m = member(e)
  zadd(P .. 'listed:' .. e.state .. ':' .. e.source, 0, m)
  if e.state == 'running' then
    zadd(P .. 'leases:' .. e.source, int(e.lease_ends_at), m)
  elseif waitsInLane(e) then
    zadd(P .. 'lane:' .. e.lane, e.lane_place, e.key)
  elseif e.state == 'pending' and e.crashes > 0 then
    zadd(P .. 'suspects:' .. e.source, int(e.due_at), m)
  elseif e.state == 'pending' then
    zadd(P .. 'due:' .. e.replayed .. ':' .. e.source, int(e.due_at), m)
    zadd(P .. 'waits:' .. e.replayed .. ':' .. e.source .. ':' .. e.type, int(e.due_at), m)
    zadd(P .. 'types:' .. e.source, 0, e.type)
  end
end

-- Takes an event out of the indexes of its state, before anything of it changes.
local function leave(e)
  local m = member(e)
  zrem(P .. 'listed:' .. e.state .. ':' .. e.source, m)
  if e.state == 'running' then
    zrem(P .. 'leases:' .. e.source, m)
  elseif waitsInLane(e) then
    redis.call('ZREM', P .. 'lane:' .. e.lane, e.key)
  elseif e.state == 'pending' and e.crashes > 0 then
    redis.call('ZREM', P .. 'suspects:' .. e.source, m)
  elseif e.state == 'pending' then
    redis.call('ZREM', P .. 'due:' .. e.replayed .. ':' .. e.source, m)
    local waits = P .. 'waits:' .. e.replayed .. ':' .. e.source .. ':' .. e.type
    redis.call('ZREM', waits, m)
    local other = P .. 'waits:' .. (e.replayed == '1' and '0' or '1') .. ':' .. e.source .. ':' .. e.type
    if redis.call('EXISTS', waits, other) == 0 then redis.call('ZREM', P .. 'types:' .. e.source, e.type) end
  end
end

-- Says whether an event is among the heads of its lane.
local function setHead(e, isHead)
  e.lane_head = isHead and '1' or '0'
  redis.call('HSET', P .. 'event:' .. e.key, 'lane_head', e.lane_head)
  redis.call(isHead and 'SADD' or 'SREM', P .. 'heads:' .. e.lane, e.key)
end

-- Lanes in which others may be heads now; seen to at the end, when all are where they belong.
local lanes = {}
local function touch(lane) if lane then lanes[lane] = true end end

-- Lets as many of a lane be heads as may be, those with the first places.
local function advance(lane)
  local first = redis.call('ZRANGE', P .. 'lane:' .. lane, 0, 0)[1]
  if not first then return end
  local max = math.max(1, tonumber(redis.call('HGET', P .. 'event:' .. first, 'lane_max')))
  local few = max - redis.call('SCARD', P .. 'heads:' .. lane)
  if few <= 0 then return end
  for _, key in ipairs(redis.call('ZRANGE', P .. 'lane:' .. lane, 0, few - 1)) do
    local e = read(key)
    leave(e)
    e.due_at = now
    redis.call('HSET', P .. 'event:' .. key, 'due_at', int(now))
    setHead(e, true)
    enter(e)
  end
end

-- Counts ways of events; written once, at the end.
local moves, ways = {}, {}
local function move(source, type, from, to, count)
  -- A type may hold anything but NUL.
  local name = source .. '\\0' .. from .. '\\0' .. to .. '\\0' .. type
  local way = ways[name]
  if not way then
    way = cjson.encode({ source, type, from, to })
    ways[name] = way
  end
  moves[way] = (moves[way] or 0) + count
end
local function writeMoves()
  flush('ZREM', out)
  flush('ZADD', into)
  out, into = nil, nil
  for lane in pairs(lanes) do advance(lane) end
  local minute = int(now - now % 60000)
  for way, count in pairs(moves) do
    redis.call('HINCRBY', P .. 'tally:' .. minute, way, count)
    redis.call('HINCRBY', P .. 'totals', way, count)
    redis.call('ZADD', P .. 'tallies', minute, minute)
  end
end

-- Tells others that there is work, and who says so. It is no harm where the user may not.
local function wake(to) redis.pcall('PUBLISH', to.channel, to.from) end

local function get(key) return redis.call('HGETALL', P .. 'event:' .. key) end
local function deliveryOf(id) return redis.call('HGETALL', P .. 'delivery:' .. id) end
`;
