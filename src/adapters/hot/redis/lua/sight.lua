-- Included by read.lua and commit.lua: what the policy decides on, so that both see the same.
--
-- sight(session, optedOutAt, names, maxCart, measure) -> fault, values, digest
--   names    the fields to read; the first five decide, and the cart is the second
--   measure  look at the cart's size first, for it may be too large to be read at all
--   fault    '' or why the session cannot be read: 'wrong_key_type:<type>', 'cart_too_large:<bytes>',
--            'field_too_large:<name>'; what is too large is left out of values
--   digest   what the policy decides on, eight parts with a zero byte between them: sizes that are too large, the opt-out,
--            the five values (a byte 1 for what is missing), and where all five are missing whether there is a session;
--            equal digests are equal sights. Who wrote just a byte 1 into one of the five has written something else.
-- It never decodes JSON (cjson turns [] into {} and rounds large ids) and never raises. A call of a command from Lua
-- costs about 0.5 us before it does anything, and each byte of a new string more than a nanosecond: hence few of both.

-- A field of this size is no channel, language or instant; it would be paid for at every look.
local FIELD_MAX = 4096
local CART = 2
local MISSING = '\1'
local call, pcall = redis.call, redis.pcall

local function digestOf(oversized, optedOutAt, values, session)
  local last_activity, cart, order, consent, marks = unpack(values, 1, 5)
  local some = last_activity or cart or order or consent or marks
  return oversized .. '\0' .. (optedOutAt or MISSING) .. '\0' .. (last_activity or MISSING) .. '\0' .. (cart or MISSING)
    .. '\0' .. (order or MISSING) .. '\0' .. (consent or MISSING) .. '\0' .. (marks or MISSING)
    .. '\0' .. (some and '' or call('EXISTS', session))
end

local function leaveOutTooLarge(names, values, length, maxCart)
  local fault, oversized = '', ''
  for i = 1, #names do
    local value = values[i]
    if value and i ~= CART and #value > FIELD_MAX then
      fault = 'field_too_large:' .. names[i]
      if i <= 5 then oversized = oversized .. redis.sha1hex(value) end
      values[i] = false
    end
  end
  if values[CART] then length = #values[CART] end
  if length > maxCart then
    fault = 'cart_too_large:' .. length
    oversized = fault .. oversized
    values[CART] = false
  end
  return fault, oversized
end

local function sight(session, optedOutAt, names, maxCart, measure)
  local cart, length = names[CART], 0
  if measure then
    length = pcall('HSTRLEN', session, cart)
    if type(length) == 'table' then length = 0 end
  end
  if length > maxCart then names[CART] = '' end
  local values = pcall('HMGET', session, unpack(names))
  names[CART] = cart
  if values.err then
    local fault = 'wrong_key_type:' .. call('TYPE', session).ok
    return fault, {}, fault .. '\0' .. (optedOutAt or '\1') .. '\0\1\0\1\0\1\0\1\0\1\0'
  end
  for i = 1, 5 do
    if values[i] == MISSING then values[i] = MISSING .. '\0' end
  end
  local digest = digestOf('', optedOutAt, values, session)
  -- One that large is in a text that is as large.
  local largest = #digest
  for i = 6, #names do
    local value = values[i]
    if value then largest = largest + #value end
  end
  if largest <= FIELD_MAX and largest <= maxCart and length <= maxCart then return '', values, digest end
  local fault, oversized = leaveOutTooLarge(names, values, length, maxCart)
  return fault, values, digestOf(oversized, optedOutAt, values, session)
end
