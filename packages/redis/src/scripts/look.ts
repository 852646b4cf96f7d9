/**
 * `get`, `list`, `tally` and `audit`: what was kept can be looked at.
 *
 * `get`. Inputs: `ARGV[1]` a key. Output: `[event, delivery]`, empty lists for what is not there.
 *
 * `list`. Inputs: `ARGV[1]` JSON `{ source?, state?, type?, reason?, from?, before?, cursor?, order?, limit }`. Output: `[cursor,
 * events]`; the cursor is empty when there is no more.
 *
 * `tally`. Inputs: `ARGV[1]` JSON `{ source?, type?, from?, before?, after?, stepMs? }`; `after` is where an earlier answer
 * ended. Output: `[folds, end, [at, way, count, …]]`: how often tallies were summed up so far, where to go on (empty when
 * there is no more), and what fits, by step.
 *
 * `audit`. Output: the sums of all time as `[way, count, …]`, and `[state, count, …]`.
 *
 * They refuse nothing, and change nothing.
 */

import { everyState } from "@webhook-inbox/core/records";
import { library } from "./library.ts";

const states = `{ ${everyState.map((state) => `'${state}'`).join(", ")} }`;

/** Rows looked at for one page: everyone else waits meanwhile. */
const lookedAtMax = 2000;

/**
 * `page(ask, isUp, accepts)`: events that fit, beyond the cursor, as `key`s, and the cursor to go on from. Walks the sets of
 * the sources and states that fit, or that of all events; what no set knows is looked for among a bounded number.
 */
export const paging: string = `
local function waysOf(ask)
  if not ask.source and not ask.state then return { P .. 'received' } end
  local sources = ask.source and { ask.source } or redis.call('SMEMBERS', P .. 'sources')
  local ways = {}
  for _, source in ipairs(sources) do
    for _, state in ipairs(ask.state and { ask.state } or ${states}) do
      ways[#ways + 1] = P .. 'listed:' .. state .. ':' .. source
    end
  end
  return ways
end

local function page(ask, isUp, accepts)
  local ways = waysOf(ask)
  local low = '[' .. string.format('%016.0f', math.max(0, ask.from or 0))
  local high = ask.before and '(' .. string.format('%016.0f', math.max(0, ask.before)) or '+'
  local chunk = math.min(ask.limit + 1, 200)
  local at = ask.cursor
  local keys, looked = {}, 0
  while looked < ${lookedAtMax} do
    local found = {}
    for _, way in ipairs(ways) do
      local some
      if isUp then some = redis.call('ZRANGEBYLEX', way, at and '(' .. at or low, high, 'LIMIT', 0, chunk)
      else some = redis.call('ZREVRANGEBYLEX', way, at and '(' .. at or high, low, 'LIMIT', 0, chunk) end
      for _, m in ipairs(some) do found[#found + 1] = m end
    end
    if #found == 0 then return keys, '' end
    if isUp then table.sort(found) else table.sort(found, function(a, b) return a > b end) end
    for n = 1, math.min(#found, chunk) do
      local key = keyOf(found[n])
      if accepts(key) then
        -- One more than asked: only that there is one matters.
        if #keys == ask.limit then return keys, at end
        keys[#keys + 1] = key
      end
      at = found[n]
    end
    looked = looked + math.min(#found, chunk)
    if #found < chunk then return keys, '' end
  end
  return keys, at
end

local function fits(ask, key)
  if not ask.type and not ask.reason then return true end
  local f = redis.call('HMGET', P .. 'event:' .. key, 'type', 'reason')
  return (not ask.type or f[1] == ask.type) and (not ask.reason or f[2] == ask.reason)
end
`;

export const get: string = `${library}
local event = get(ARGV[1])
local id = redis.call('HGET', P .. 'event:' .. ARGV[1], 'delivery')
return { event, id and deliveryOf(id) or {} }
`;

export const list: string = `${library}${paging}
local ask = cjson.decode(ARGV[1])
local keys, cursor = page(ask, ask.order == 'oldest', function(key) return fits(ask, key) end)
local events = {}
for n, key in ipairs(keys) do events[n] = get(key) end
return { cursor, events }
`;

/** Minutes or hours that are summed up in one call. */
const instantsMax = 300;

export const tally: string = `${library}
local ask = cjson.decode(ARGV[1])
local fitting = {}
-- Ways are few, however many instants there are.
local function fits(way)
  if fitting[way] == nil then
    local of = cjson.decode(way)
    fitting[way] = (not ask.source or of[1] == ask.source) and (not ask.type or of[2] == ask.type)
  end
  return fitting[way]
end

local sums, order = {}, {}
local function add(at, ways)
  for n = 1, #ways, 2 do
    if fits(ways[n]) then
      local name = at .. ' ' .. ways[n]
      if not sums[name] then
        sums[name] = { at, ways[n], 0 }
        order[#order + 1] = sums[name]
      end
      sums[name][3] = sums[name][3] + tonumber(ways[n + 1])
    end
  end
end

local last = ''
if not ask.from and not ask.before and not ask.stepMs then
  add('0', redis.call('HGETALL', P .. 'totals'))
else
  local low = ask.after and '(' .. ask.after or int(ask.from or 0)
  local high = '(' .. int(ask.before or 9e15)
  local instants = redis.call('ZRANGEBYSCORE', P .. 'tallies', low, high, 'LIMIT', 0, ${instantsMax})
  for _, at in ipairs(instants) do
    local step = ask.stepMs and int(tonumber(at) - tonumber(at) % ask.stepMs) or '0'
    add(step, redis.call('HGETALL', P .. 'tally:' .. at))
  end
  if #instants == ${instantsMax} then last = instants[#instants] end
end
local found = {}
for _, sum in ipairs(order) do
  found[#found + 1] = sum[1]
  found[#found + 1] = sum[2]
  found[#found + 1] = int(sum[3])
end
return { redis.call('GET', P .. 'folds') or '0', last, found }
`;

export const audit: string = `${library}
local counts = {}
for _, source in ipairs(redis.call('SMEMBERS', P .. 'sources')) do
  for _, state in ipairs(${states}) do
    counts[#counts + 1] = state
    counts[#counts + 1] = redis.call('ZCARD', P .. 'listed:' .. state .. ':' .. source)
  end
end
return { redis.call('HGETALL', P .. 'totals'), counts }
`;
