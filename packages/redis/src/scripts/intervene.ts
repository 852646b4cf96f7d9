/**
 * `intervene`.
 *
 * Inputs: `ARGV[1]` JSON `{ act, by, reason, dryRun, limit, cursor?, rerun, afterMs, to, states: { state: true },
 * keys? | filter, wake: { channel, from } }`, `to` being the state that the act leads to.
 * Output: `[cursor, keys]`.
 * Refuses events in other states, and to have handled what has no delivery any more.
 */

import { library } from "./library.ts";
import { paging } from "./look.ts";

const interventionsKept = 20;

const acting = `
local function actOn(e, at)
  local name = P .. 'event:' .. e.key
  local lane = e.lane
  local joins = lane and e.lane_head ~= '1' and e.state ~= 'pending'
  local waits = joins or waitsInLane(e)
  leave(e)
  move(e.source, e.type, e.state, ask.to, 1)
  e.state = ask.to
  redis.call('HDEL', name, 'reason', 'fence', 'lease_ends_at')
  local acts = cjson.decode(redis.call('HGET', name, 'interventions'))
  acts[#acts + 1] = { act = ask.act, at = now, by = ask.by, reason = ask.reason }
  while #acts > ${interventionsKept} do table.remove(acts, 1) end
  redis.call('HSET', name, 'state', ask.to, 'interventions', cjson.encode(acts))
  if ask.to == 'pending' then
    e.due_at = waits and forever or at
    e.crashes = 0
    if joins then
      e.lane_place = int(redis.call('INCR', P .. 'seq'))
      redis.call('HSET', name, 'lane_place', e.lane_place)
    end
    if ask.act == 'replay' then e.replayed = '1' end
    redis.call('HSET', name, 'due_at', int(e.due_at), 'attempts', '0', 'crashes', '0', 'gave_up', '[]', 'replayed', e.replayed)
    if ask.rerun then
      redis.call('HINCRBY', name, 'generation', 1)
      redis.call('HSET', name, 'finished', '[]')
    end
  elseif lane then
    setHead(e, false)
  end
  if ask.act == 'erase' then
    redis.call('HDEL', name, 'lane', 'lane_max', 'lane_place', 'lane_head')
    redis.call('HSET', name, 'id', '', 'history', '[]', 'content_hash', '')
    redis.call('HDEL', name, 'occurred_at')
    redis.call('ZREM', P .. 'deliveries', place(tonumber(redis.call('HGET', name, 'received_at')), e.delivery) .. e.delivery)
    redis.call('DEL', P .. 'delivery:' .. e.delivery, P .. 'of:' .. e.delivery)
  end
  enter(e)
  touch(lane)
end

-- With all events of their deliveries and all variants of their ids.
local function withKin(keys)
  local seen = {}
  for _, key in ipairs(keys) do seen[key] = true end
  local function add(key)
    if seen[key] then return end
    seen[key] = true
    local e = read(key)
    if e and e.state ~= 'erased' then keys[#keys + 1] = key end
  end
  local n = 1
  local walked = {}
  while n <= #keys do
    local f = redis.call('HMGET', P .. 'event:' .. keys[n], 'delivery', 'variant_of')
    if not walked[f[1]] then
      walked[f[1]] = true
      for _, key in ipairs(redis.call('LRANGE', P .. 'of:' .. f[1], 0, -1)) do add(key) end
    end
    for _, key in ipairs(redis.call('SMEMBERS', P .. 'variants:' .. keys[n])) do add(key) end
    if f[2] then add(f[2]) end
    n = n + 1
  end
  return keys
end
`;

export const intervene: string = `#!lua flags=allow-oom
${library}${paging}
local ask = cjson.decode(ARGV[1])
${acting}
local function isOpen(key)
  local e = read(key)
  if not e or not ask.states[e.state] then return false end
  return ask.to ~= 'pending' or redis.call('EXISTS', P .. 'delivery:' .. e.delivery) == 1
end

local keys, cursor = {}, ''
if ask.keys then
  local seen = {}
  for _, key in ipairs(ask.keys) do
    if not seen[key] and isOpen(key) then keys[#keys + 1] = key end
    seen[key] = true
  end
elseif ask.states[ask.filter.state] then
  keys, cursor = page(ask.filter, true, function(key) return fits(ask.filter, key) and isOpen(key) end)
end
if ask.act == 'erase' then keys = withKin(keys) end
if not ask.dryRun then
  for _, key in ipairs(keys) do actOn(read(key), now + ask.afterMs) end
  if ask.to == 'pending' and #keys > 0 then wake(ask.wake) end
  writeMoves()
end
return { cursor, keys }
`;
