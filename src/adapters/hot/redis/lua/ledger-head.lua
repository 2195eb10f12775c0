-- Included by commit.lua and strike.lua: the first 9 bytes of a ledger are its version, 8 hex digits, and '+' while it
-- has pending events, else '-'. So a version is read and moved on without the rest.

local HEAD = 9
local PENDING, STRUCK = '+', '-'

local function headAfter(head, mark)
  return string.format('%08x', ((tonumber(head:sub(1, 8), 16) or 0) + 1) % 4294967296) .. mark
end
