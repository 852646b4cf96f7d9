/**
 * `prune`: deliveries, then keys, then what was refused too often, then tallies.
 *
 * Inputs: `ARGV[1]` JSON `{ part, at?, payloadMs, keyMs, refusedMax, limit, prunable: { state: true } }`: which part of a round, and
 * where in it to go on.
 * Output: `[payloads, keys, part, at]`: what was forgotten, and where to go on; an empty part when the round is over.
 * Refuses what is young, and what is in another state.
 */

import { library } from "./library.ts";

/** Tallies are kept by the minute for two days, by the hour as long as keys are kept, and what is older as one. */
const folding = `
local function fold(from, before, step)
  local some = redis.call('ZRANGEBYSCORE', P .. 'tallies', '(' .. int(from), '(' .. int(before), 'LIMIT', 0, 400)
  for _, at in ipairs(some) do
    local to = int(step and tonumber(at) - tonumber(at) % step or 0)
    if to ~= at then
      local ways = redis.call('HGETALL', P .. 'tally:' .. at)
      for n = 1, #ways, 2 do redis.call('HINCRBY', P .. 'tally:' .. to, ways[n], ways[n + 1]) end
      redis.call('DEL', P .. 'tally:' .. at)
      redis.call('ZREM', P .. 'tallies', at)
      redis.call('ZADD', P .. 'tallies', to, to)
      redis.call('INCR', P .. 'folds')
    end
  end
  return some[400]
end
`;

export const prune: string = `#!lua flags=allow-oom
${library}${folding}
local ask = cjson.decode(ARGV[1])
local function old(set, ageMs)
  local before = '(' .. string.format('%016.0f', math.max(0, now - ageMs))
  return redis.call('ZRANGEBYLEX', P .. set, ask.at and '(' .. ask.at or '-', before, 'LIMIT', 0, ask.limit)
end
local function isOver(key)
  local state = redis.call('HGET', P .. 'event:' .. key, 'state')
  return not state or ask.prunable[state] == true
end

local function forget(e, m)
  leave(e)
  redis.call('ZREM', P .. 'received', m)
  local of = redis.call('HGET', P .. 'event:' .. e.key, 'variant_of')
  if of then redis.call('SREM', P .. 'variants:' .. of, e.key) end
  redis.call('DEL', P .. 'event:' .. e.key)
  move(e.source, e.type, e.state, 'pruned', 1)
end

if ask.part == 'payloads' then
  local found = old('deliveries', ask.payloadMs)
  local gone = 0
  for _, m in ipairs(found) do
    local id = string.sub(m, 33)
    local isNeeded = false
    for _, key in ipairs(redis.call('LRANGE', P .. 'of:' .. id, 0, -1)) do isNeeded = isNeeded or not isOver(key) end
    if not isNeeded then
      redis.call('DEL', P .. 'delivery:' .. id, P .. 'of:' .. id)
      redis.call('ZREM', P .. 'deliveries', m)
      gone = gone + 1
    end
  end
  local isMore = #found == ask.limit
  return { gone, 0, isMore and 'payloads' or 'keys', isMore and found[#found] or '' }
end

if ask.part == 'keys' then
  local found = old('received', ask.keyMs)
  local gone = 0
  for _, m in ipairs(found) do
    local e = read(keyOf(m))
    if ask.prunable[e.state] and redis.call('EXISTS', P .. 'delivery:' .. e.delivery) == 0 then
      forget(e, m)
      gone = gone + 1
    end
  end
  writeMoves()
  local isMore = #found == ask.limit
  return { 0, gone, isMore and 'keys' or 'refused', isMore and found[#found] or '' }
end

if ask.part == 'refused' then
  local gone, payloads = 0, 0
  for _, source in ipairs(redis.call('SMEMBERS', P .. 'sources')) do
    local set = P .. 'listed:refused:' .. source
    local surplus = math.min(redis.call('ZCARD', set) - ask.refusedMax, ask.limit - gone)
    for _, m in ipairs(surplus > 0 and redis.call('ZRANGE', set, 0, surplus - 1) or {}) do
      local e = read(keyOf(m))
      local id = e.delivery
      redis.call('ZREM', P .. 'deliveries', place(redis.call('HGET', P .. 'delivery:' .. id, 'received_at') or 0, id) .. id)
      payloads = payloads + redis.call('DEL', P .. 'delivery:' .. id)
      redis.call('DEL', P .. 'of:' .. id)
      forget(e, m)
      gone = gone + 1
    end
  end
  writeMoves()
  return { payloads, gone, gone == ask.limit and 'refused' or 'tallies', '' }
end

local hour = 3600000
local isMore = fold(0, ask.oneBefore, nil)
isMore = fold(tonumber(ask.at or '0'), ask.hoursBefore, hour) or isMore
return { 0, 0, isMore and 'tallies' or '', isMore or '' }
`;
