/**
 * `claim`.
 *
 * Inputs: `ARGV[1]` JSON `{ fence, leaseMs, slots: [[source, n]], typesMax: { source: { type: n } }, suspectsMax, crashesMax,
 * bytesMax, walks: { source: type } }`.
 * Output: `[due, walks, claims]`: milliseconds until something more is due, or an empty text; JSON of where the look for
 * types goes on; and claims as `[event, delivery]`.
 * Refuses nothing.
 */

import { library } from "./library.ts";

/** Types looked at in one call: a sender may think of any number of them. */
const typesMax = 200;
/** Suspects looked at in one call: there are as many as were in hand when a worker died. */
const suspectsMax = 1000;

const room = `
local ask = cjson.decode(ARGV[1])
local slots = {}
for _, pair in ipairs(ask.slots) do slots[pair[1]] = pair[2] end
local suspectsLeft = ask.suspectsMax

local function left(source, type)
  local most = (ask.typesMax[source] or {})[type] or math.huge
  return math.max(0, math.min(slots[source] or 0, most))
end
local function use(source, type)
  slots[source] = slots[source] - 1
  local limits = ask.typesMax[source]
  if limits and limits[type] then limits[type] = limits[type] - 1 end
end
local function isFull(source, type) return ((ask.typesMax[source] or {})[type] or 1) <= 0 end
local function isLimited(source) return ask.typesMax[source] ~= nil and next(ask.typesMax[source]) ~= nil end

-- Types of which something waits. Where there are too many, each call goes on where the last one ended.
local known = {}
local function typesOf(source)
  if known[source] then return known[source] end
  local from = ask.walks[source] or ''
  local set = P .. 'types:' .. source
  local found = redis.call('ZRANGEBYLEX', set, from == '' and '-' or '(' .. from, '+', 'LIMIT', 0, ${typesMax})
  if from ~= '' and #found < ${typesMax} then
    for _, type in ipairs(redis.call('ZRANGEBYLEX', set, '-', '[' .. from, 'LIMIT', 0, ${typesMax} - #found)) do
      found[#found + 1] = type
    end
  end
  ask.walks[source] = #found < ${typesMax} and '' or found[#found]
  known[source] = found
  return found
end
`;

const candidates = `
local function suspectsOf(source)
  local found = {}
  if suspectsLeft <= 0 then return found end
  for lapsed, set in pairs({ [0] = 'suspects:', [1] = 'leases:' }) do
    for _, m in ipairs(redis.call('ZRANGEBYSCORE', P .. set .. source, '-inf', int(now), 'LIMIT', 0, ${suspectsMax})) do
      local e = read(keyOf(m))
      e.lapsed = lapsed
      e.at = lapsed == 1 and e.lease_ends_at or e.due_at
      if e.crashes + lapsed <= ask.crashesMax and left(source, e.type) > 0 then found[#found + 1] = e end
    end
  end
  table.sort(found, function(a, b)
    if a.crashes ~= b.crashes then return a.crashes > b.crashes end
    if a.at ~= b.at then return a.at < b.at end
    return a.place < b.place
  end)
  return found
end

local function dueOf(source, most)
  local found = {}
  for _, replayed in ipairs({ '0', '1' }) do
    if most > #found then
      local more = {}
      if isLimited(source) then
        for _, type in ipairs(typesOf(source)) do
          local few = math.min(most - #found, left(source, type))
          if few > 0 then
            local set = P .. 'waits:' .. replayed .. ':' .. source .. ':' .. type
            for _, m in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', int(now), 'LIMIT', 0, few)) do
              more[#more + 1] = read(keyOf(m))
            end
          end
        end
        table.sort(more, function(a, b)
          if a.due_at ~= b.due_at then return a.due_at < b.due_at end
          return a.place < b.place
        end)
      else
        local set = P .. 'due:' .. replayed .. ':' .. source
        for _, m in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', int(now), 'LIMIT', 0, most - #found)) do
          more[#more + 1] = read(keyOf(m))
        end
      end
      for n = 1, math.min(#more, most - #found) do found[#found + 1] = more[n] end
    end
  end
  return found
end
`;

const untilDue = `
local function untilDue()
  local soonest = math.huge
  local function first(set)
    local found = redis.call('ZRANGE', P .. set, 0, 0, 'WITHSCORES')
    if found[2] then soonest = math.min(soonest, tonumber(found[2])) end
  end
  for source in pairs(slots) do
    for _, replayed in ipairs({ '0', '1' }) do
      if isLimited(source) then
        for _, type in ipairs(typesOf(source)) do
          if not isFull(source, type) then first('waits:' .. replayed .. ':' .. source .. ':' .. type) end
        end
      else
        first('due:' .. replayed .. ':' .. source)
      end
    end
    if suspectsLeft > 0 then
      for lapsed, set in pairs({ [0] = 'suspects:', [1] = 'leases:' }) do
        for _, m in ipairs(redis.call('ZRANGE', P .. set .. source, 0, ${suspectsMax} - 1)) do
          local e = read(keyOf(m))
          if e.crashes + lapsed <= ask.crashesMax and not isFull(source, e.type) then
            soonest = math.min(soonest, lapsed == 1 and e.lease_ends_at or e.due_at)
            break
          end
        end
      end
    end
  end
  return soonest == math.huge and '' or int(math.max(0, soonest - now))
end
`;

export const claim: string = `#!lua flags=allow-oom
${library}${room}${candidates}${untilDue}
local claimed = {}
local bytes = 0
local isOver = false

local function give(e, lapsed)
  if isOver or left(e.source, e.type) == 0 then return end
  local name = P .. 'event:' .. e.key
  bytes = bytes + tonumber(redis.call('HGET', name, 'size'))
  if #claimed > 0 and bytes > ask.bytesMax then
    isOver = true
    return
  end
  use(e.source, e.type)
  leave(e)
  e.state = 'running'
  e.lease_ends_at = now + ask.leaseMs
  redis.call('HSET', name, 'state', 'running', 'fence', ask.fence, 'lease_ends_at', int(e.lease_ends_at))
  redis.call('HINCRBY', name, 'attempts', 1)
  if lapsed == 1 then redis.call('HINCRBY', name, 'crashes', 1) end
  enter(e)
  claimed[#claimed + 1] = e.key
end

-- Asked again because its answer was lost: the same is given.
local before = redis.call('GET', P .. 'claimed:' .. ask.fence)
if before then
  for at = 1, #before, 26 do
    local key = string.sub(before, at, at + 25)
    if redis.call('HGET', P .. 'event:' .. key, 'fence') == ask.fence then claimed[#claimed + 1] = key end
  end
else
  for _, pair in ipairs(ask.slots) do
    local source, most = pair[1], pair[2]
    if most > 0 and not isOver then
      for _, e in ipairs(suspectsOf(source)) do
        if suspectsLeft > 0 and left(source, e.type) > 0 then
          suspectsLeft = suspectsLeft - 1
          give(e, e.lapsed)
        end
      end
      for _, e in ipairs(dueOf(source, slots[source])) do give(e, 0) end
    end
  end
  if #claimed > 0 then redis.call('SET', P .. 'claimed:' .. ask.fence, table.concat(claimed), 'PX', 60000) end
end

local answers = {}
for n, key in ipairs(claimed) do
  answers[n] = { get(key), deliveryOf(redis.call('HGET', P .. 'event:' .. key, 'delivery')) }
end
return { untilDue(), cjson.encode(ask.walks), answers }
`;
