-- Included by read.lua and commit.lua: what the policy decides on, so that both see the same.
--
-- sight(session, optedOutAt, maxCart, names, guards) -> fault, exists, values, digest, bytes
--   names   the fields to read; the first `guards` of them go into the digest, the cart is the second
--   fault   '' or why the session cannot be read: 'wrong_key_type:<type>', 'cart_too_large:<bytes>',
--           'field_too_large:<name>'; what is too large is left out of values
--   digest  SHA-1 of what the policy decides on; equal digests are equal sights
-- It never decodes JSON (cjson turns [] into {} and rounds large ids) and never raises. Every call of a command from
-- Lua costs about 0.5 us, and strings that are put together cost too: hence few of both.

-- A field of this size is no channel, language or instant; it would be paid for at every look.
local FIELD_MAX = 4096
local CART = 2

local function sight(session, optedOutAt, maxCart, names, guards)
  local length = redis.pcall('HSTRLEN', session, names[CART])
  if type(length) == 'table' then
    local fault = 'wrong_key_type:' .. redis.call('TYPE', session).ok
    return fault, 1, {}, redis.sha1hex(fault .. tostring(optedOutAt)), 0
  end
  local fault, values = ''
  if length > maxCart then
    fault = 'cart_too_large:' .. length
    local cart = names[CART]
    names[CART] = ''
    values = redis.call('HMGET', session, unpack(names))
    names[CART] = cart
  else
    values = redis.call('HMGET', session, unpack(names))
  end
  local exists, bytes, parts = 0, 0, { fault, tostring(optedOutAt) }
  for i, value in ipairs(values) do
    if value then
      exists = 1
      bytes = bytes + #value
      if #value > FIELD_MAX and i ~= CART then
        fault = 'field_too_large:' .. names[i]
        values[i] = false
        value = value:sub(1, FIELD_MAX)
      end
    end
    if i <= guards then parts[i + 2] = value or '\1' end
  end
  if exists == 0 then exists = redis.call('EXISTS', session) end
  parts[guards + 3] = exists
  return fault, exists, values, redis.sha1hex(table.concat(parts, '\0')), bytes
end
