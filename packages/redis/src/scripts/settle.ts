/**
 * `settle` and `extend`: both write only where the fence is still the claim's.
 *
 * `settle`. Inputs: `ARGV[1]` JSON of `[{ key, fence, state, reason?, afterMs?, isBack, holdsLane, finished, gaveUp, history, became? }]`,
 * lists as JSON texts, `became` as `take` has it. Output: 1 or 0 for each.
 *
 * `extend`. Inputs: `ARGV[1]` JSON `{ holds: [[key, fence]], leaseMs }`. Output: 1 or 0 for each.
 *
 * Both refuse what does not carry the fence.
 */

import { library } from "./library.ts";
import { taking } from "./take.ts";

export const settle: string = `#!lua flags=allow-oom
${library}${taking}
-- Names that both lists hold, each once: those of the event first.
local function joined(held, more)
  if held == '[]' then return more end
  if more == '[]' then return held end
  local names, seen = {}, {}
  for _, list in ipairs({ held, more }) do
    for _, name in ipairs(cjson.decode(list)) do
      if not seen[name] then names[#names + 1] = name end
      seen[name] = true
    end
  end
  return cjson.encode(names)
end

local answers = {}
batch()
for n, s in ipairs(cjson.decode(ARGV[1])) do
  local e = read(s.key)
  if not e or e.fence ~= s.fence or e.state ~= 'running' then
    answers[n] = 0
  else
    answers[n] = 1
    local name = P .. 'event:' .. s.key
    leave(e)
    e.state = s.state
    if s.afterMs then e.due_at = now + s.afterMs end
    if e.lane then
      if s.isBack and e.lane_head ~= '1' then e.due_at = forever end
      if s.state == 'pending' then setHead(e, e.lane_max == '0' or (s.isBack and e.lane_head == '1'))
      else setHead(e, s.holdsLane) end
    end
    if s.state == 'pending' and not s.isBack then e.crashes = 0 end
    redis.call('HSET', name, 'state', s.state, 'due_at', int(e.due_at), 'crashes', e.crashes, 'finished',
      joined(e.finished, s.finished), 'gave_up', s.gaveUp, 'history', s.history)
    if s.isBack then redis.call('HINCRBY', name, 'attempts', -1) end
    redis.call('HDEL', name, 'fence', 'lease_ends_at', 'reason')
    if s.reason then redis.call('HSET', name, 'reason', s.reason) end
    enter(e)
    touch(e.lane)
    move(e.source, e.type, 'running', s.state, 1)
    if s.became then takeAll(s.became, e.delivery, nil) end
  end
end
writeMoves()
return answers
`;

export const extend: string = `#!lua flags=allow-oom
${library}
local ask = cjson.decode(ARGV[1])
local answers = {}
for n, hold in ipairs(ask.holds) do
  local e = read(hold[1])
  if e and e.fence == hold[2] then
    answers[n] = 1
    e.lease_ends_at = now + ask.leaseMs
    redis.call('HSET', P .. 'event:' .. e.key, 'lease_ends_at', int(e.lease_ends_at))
    enter(e)
  else
    answers[n] = 0
  end
end
return answers
`;
