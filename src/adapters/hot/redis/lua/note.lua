-- Puts what a subscriber noted of an announcement beside the user's ledger, for the next look to take in.
--
-- KEYS  1 ledger, 2 agenda, 3 tombstones, 4 when rescue messages went to the session's owner: text 'instant=message,…'
-- ARGV  1 user, 2 owner of the session, 3 when it happened, in ms, 4 now in ms, 5 the note, 6 the message in a few
--       characters, or '' where it is none, 7 how long KEYS[4] is kept in ms, or 0: it is not kept
-- Returns NOTED; NOBODY where there is no ledger, or the user was erased since it happened; FULL where too much waits.
-- Guarantee: the note stands in the ledger's own text, on a line that begins with '+', and the ledger's version moves on as
-- it does in settle.lua: a commit that did not see it fails. The user is looked at. One message counts once.

local NOTED, NOBODY, FULL = 1, 0, -1
local VERSION = 8
-- Some hundred notes: whoever writes more than the looks take in is wrong.
local TEXT_MAX = 65536
-- A hundred messages.
local CONTACTED_MAX = 2400

local call = redis.call
local ledger, agenda, tombstones, contacted = unpack(KEYS)
local user, owner, at, now, note, message, keepMs = unpack(ARGV)

local erasedAt = tonumber(call('ZSCORE', tombstones, owner) or nil)
if erasedAt and tonumber(at) <= erasedAt then return NOBODY end
local text = redis.pcall('GET', ledger)
if type(text) ~= 'string' or #text < VERSION then return NOBODY end
if #text + #note > TEXT_MAX then return FULL end

local moved = string.char((text:byte(VERSION) - 47) % 79 + 48)
call('SET', ledger, text:sub(1, VERSION - 1) .. moved .. text:sub(VERSION + 1) .. '\n+' .. note, 'KEEPTTL')
call('ZADD', agenda, 'LT', now, user)

if message ~= '' and tonumber(keepMs) > 0 then
  local known = redis.pcall('GET', contacted)
  if type(known) ~= 'string' then known = '' end
  if not known:find('=' .. message, 1, true) then
    known = known .. (known == '' and '' or ',') .. at .. '=' .. message
    while #known > CONTACTED_MAX do known = known:match(',(.*)$') end
    call('SET', contacted, known, 'PX', keepMs)
  end
end
return NOTED
