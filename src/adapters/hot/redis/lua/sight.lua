-- Included by read.lua and commit.lua: what the policy decides on, so that both see the same.
--
-- sight(session, optedOutAt, names, maxCart, measure) -> fault, values, digest, bytes
--   names    the fields to read; the first five decide, and the cart is the second
--   measure  look at the cart's size first, for it may be too large to be read at all
--   fault    '' or why the session cannot be read: 'wrong_key_type:<type>', 'cart_too_large:<bytes>',
--            'field_too_large:<name>'; what is too large is left out of values
--   digest   what the policy decides on; equal digests are equal sights
-- It never decodes JSON (cjson turns [] into {} and rounds large ids) and never raises. A call of a command from Lua
-- costs about 0.5 us before it does anything, and each byte of a new string more than a nanosecond: hence few of both.

-- A field of this size is no channel, language or instant; it would be paid for at every look.
local FIELD_MAX = 4096
local CART = 2

local function sight(session, optedOutAt, names, maxCart, measure)
  local count, cart, length = #names, names[CART], 0
  if measure then
    length = redis.pcall('HSTRLEN', session, cart)
    if type(length) == 'table' then length = 0 end
  end
  if length > maxCart then names[CART] = '' end
  local values = redis.pcall('HMGET', session, unpack(names))
  names[CART] = cart
  if values.err then
    local fault = 'wrong_key_type:' .. redis.call('TYPE', session).ok
    return fault, {}, fault .. '\0' .. (optedOutAt or ''), 0
  end

  local fault, bytes, oversized = '', 0, ''
  for i = 1, count do
    local value = values[i]
    if value then
      local size = #value
      bytes = bytes + size
      if i == CART then
        length = size
      elseif size > FIELD_MAX then
        fault = 'field_too_large:' .. names[i]
        if i <= 5 then oversized = oversized .. redis.sha1hex(value) end
        values[i] = false
      end
    end
  end
  if length > maxCart then
    fault = 'cart_too_large:' .. length
    oversized = fault .. oversized
    values[CART] = false
  end
  local last_activity, shown, order, consent, marks = unpack(values, 1, 5)
  local digest = oversized .. '\0' .. (optedOutAt or '') .. '\0' .. (last_activity or '\1') .. '\0' .. (shown or '\1')
    .. '\0' .. (order or '\1') .. '\0' .. (consent or '\1') .. '\0' .. (marks or '\1')
  -- None of them there: is there a session at all?
  if not (last_activity or shown or order or consent or marks) then
    digest = digest .. '\0' .. redis.call('EXISTS', session)
  end
  return fault, values, digest, bytes
end
