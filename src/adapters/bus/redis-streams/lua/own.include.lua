-- Included by the scripts that act on a delivery for its member only: hold-3, dead-letter-4.
--
-- still_own(...): is this delivery still the member's? A first delivery (no token) is while Redis lists the entry as
-- pending for the member; a later one is while the instant until which the entry is held is its token.

local function still_own(stream, held, group, member, id, token)
  if token ~= '' then return tonumber(redis.call('ZSCORE', held, id) or -1) == tonumber(token) end
  local pending = redis.pcall('XPENDING', stream, group, id, id, 1)
  -- An error: the group is gone (FLUSHALL, XGROUP DESTROY), and the delivery with it.
  return not pending.err and pending[1] ~= nil and pending[1][2] == member
end
