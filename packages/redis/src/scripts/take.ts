/**
 * `take`.
 *
 * Inputs: `ARGV[1]` JSON `{ fence, leaseMs, slots: { source: n }, typesMax: { source: { type: n } }, wake: { channel, from }, events:
 * [{ key, source, id, type, identified, quarantine?, refused?, occurredAt?, dueAfterMs?, lane?, notes, delivery (from 1), copies, conflictKey? }], deliveries: [{
 * receivedAt, method, target, account?, segment?, headers, verifiedWith, sealed?, trace?, reconstructed, contentHash }] }`; then the bodies, in the
 * order of the deliveries.
 * Output: the instant, and for each event `[word, event?]`: `taken`, `claimed`, `again` (claimed by this call made before, with
 * the event), `duplicate`, `kept` or `refused` (a conflict).
 * Refuses nothing.
 */

import { conflictsMax } from "@webhook-inbox/core";
import { library } from "./library.ts";

/** `takeAll(ask, known, body)`: `known` is the id of a delivery that is there already; `body(n)` gives the nth body. */
export const taking: string = `
local sizes, seen = {}, {}
local lastSeq, lastDelivery = 0, 0
-- Numbers for so many at once; those of what turns out to be there already are not used.
local function number(ask, known)
  lastSeq = redis.call('INCRBY', P .. 'seq', #ask.events) - #ask.events
  if not known then
    lastDelivery = redis.call('INCRBY', P .. 'delivery_seq', #ask.deliveries) - #ask.deliveries
  end
end

local function bear(e, ask, known, ids, body, claimed, variantOf, state, reason)
  local d = ask.deliveries[e.delivery]
  local id = known or ids[e.delivery]
  local at = d.receivedAt
  if not id then
    lastDelivery = lastDelivery + 1
    id = int(lastDelivery)
    ids[e.delivery] = id
    local bytes = body(e.delivery)
    sizes[id] = #bytes
    local fields = { 'received_at', int(at), 'method', d.method, 'target', d.target, 'headers', d.headers, 'verified_with',
      d.verifiedWith, 'reconstructed', d.reconstructed and '1' or '0', 'content_hash', d.contentHash, 'size', #bytes, 'body',
      bytes }
    for _, name in ipairs({ 'account', 'sealed', 'trace', 'segment' }) do
      if d[name] then
        fields[#fields + 1] = name
        fields[#fields + 1] = d[name]
      end
    end
    redis.call('HSET', P .. 'delivery:' .. id, unpack(fields))
    zadd(P .. 'deliveries', 0, place(at, id) .. id)
  end
  redis.call('RPUSH', P .. 'of:' .. id, e.key)
  sizes[id] = sizes[id] or redis.call('HGET', P .. 'delivery:' .. id, 'size') or '0'
  lastSeq = lastSeq + 1
  local seq = lastSeq
  local born = { key = e.key, place = place(at, seq), source = e.source, type = e.type, state = state, replayed = '0',
    crashes = 0, due_at = e.lane and forever or now + (e.dueAfterMs or 0), lease_ends_at = now + ask.leaseMs }
  local name = P .. 'event:' .. e.key
  local fields = { 'key', e.key, 'place', born.place, 'source', e.source, 'id', e.id, 'type', e.type, 'state', state,
    'identified', e.identified and '1' or '0', 'delivery', id, 'size', sizes[id], 'content_hash', d.contentHash, 'received_at',
    int(at), 'due_at', int(born.due_at), 'replayed', '0', 'generation', '0', 'attempts', claimed and '1' or '0', 'crashes', '0',
    'duplicates', int(e.copies - 1), 'conflicts', '0', 'finished', '[]', 'gave_up', '[]', 'history', '[]', 'interventions',
    '[]', 'notes', e.notes }
  local function also(...) for _, value in ipairs({ ... }) do fields[#fields + 1] = value end end
  if reason then also('reason', reason) end
  if e.occurredAt then also('occurred_at', int(e.occurredAt)) end
  if variantOf then
    also('variant_of', variantOf)
    redis.call('SADD', P .. 'variants:' .. variantOf, e.key)
  end
  if claimed then also('fence', ask.fence, 'lease_ends_at', int(born.lease_ends_at)) end
  if e.lane then
    born.lane = e.lane.key
    born.lane_place = int(seq)
    also('lane', e.lane.key, 'lane_max', e.lane.isOrdered and '0' or int(e.lane.max), 'lane_place', born.lane_place,
      'lane_head', '0')
  end
  redis.call('HSET', name, unpack(fields))
  enter(born)
  touch(born.lane)
  zadd(P .. 'received', 0, member(born))
  if not seen[e.source] then redis.call('SADD', P .. 'sources', e.source) end
  seen[e.source] = true
  move(e.source, e.type, '', state, 1)
  if e.copies > 1 then move(e.source, e.type, '', 'duplicate', e.copies - 1) end
end

local function countMore(key, e)
  redis.call('HINCRBY', P .. 'event:' .. key, 'duplicates', e.copies)
  move(e.source, e.type, '', 'duplicate', e.copies)
end

local function takeAgain(e, held, ask, known, ids, body)
  if ask.fence ~= '' and held[1] == ask.fence then return { 'again', get(e.key) } end
  local isSame = held[2] == 'erased' or held[3] == '' or held[3] == ask.deliveries[e.delivery].contentHash
  if isSame or not e.conflictKey then
    countMore(e.key, e)
    return { 'duplicate' }
  end
  if redis.call('EXISTS', P .. 'event:' .. e.conflictKey) == 1 then
    countMore(e.conflictKey, e)
    return { 'kept' }
  end
  if redis.call('HINCRBY', P .. 'event:' .. e.key, 'conflicts', 1) > ${conflictsMax} then
    move(e.source, e.type, '', 'conflict', e.copies)
    return { 'refused' }
  end
  local variant = {}
  for name, value in pairs(e) do variant[name] = value end
  variant.key = e.conflictKey
  bear(variant, ask, known, ids, body, false, e.key, 'quarantined', 'conflict')
  return { 'kept' }
end

local function takeAll(ask, known, body)
  local answers = {}
  local ids = {}
  local isLeft = false
  number(ask, known)
  for n, e in ipairs(ask.events) do
    local held = redis.call('HMGET', P .. 'event:' .. e.key, 'fence', 'state', 'content_hash')
    if held[2] then
      answers[n] = takeAgain(e, held, ask, known, ids, body)
    else
      local limits = ask.typesMax[e.source] or {}
      local slots = ask.slots[e.source] or 0
      local claimed = not e.quarantine and not e.refused and not e.lane and (e.dueAfterMs or 0) == 0 and slots > 0 and (limits[e.type] or 1) > 0
      if claimed then
        ask.slots[e.source] = slots - 1
        if limits[e.type] then limits[e.type] = limits[e.type] - 1 end
      end
      local state = e.quarantine and 'quarantined' or e.refused and 'refused' or claimed and 'running' or 'pending'
      bear(e, ask, known, ids, body, claimed, nil, state, e.quarantine or e.refused)
      answers[n] = { claimed and 'claimed' or 'taken' }
      if state == 'pending' then isLeft = true end
    end
  end
  if isLeft then wake(ask.wake) end
  return answers
end
`;

export const take: string = `#!lua
${library}${taking}
batch()
local answers = takeAll(cjson.decode(ARGV[1]), nil, function(n) return ARGV[1 + n] end)
writeMoves()
return { int(now), answers }
`;
