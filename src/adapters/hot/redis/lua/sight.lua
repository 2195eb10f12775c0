-- Included by read.lua and commit.lua: what the policy sees of one user, so that both see the same.
--
-- sight(session, optout, maxCart, names) -> fault, exists, values, optedOutAt, digest, bytes
--   fault   '' or why the session cannot be read: 'wrong_key_type:<type>', 'cart_too_large:<bytes>',
--           'field_too_large:<name>'; what is too large is left out of values
--   digest  SHA-1 of all of it; equal digests are equal sights
-- It never decodes JSON (cjson turns [] into {} and rounds large ids) and never raises.

-- A field of this size is no channel, language or instant; it would be paid for at every look.
local FIELD_MAX = 4096

local function sight(session, optout, maxCart, names)
  local optedOutAt = redis.pcall('GET', optout)
  if type(optedOutAt) ~= 'string' then optedOutAt = false end
  local cartLength = redis.pcall('HSTRLEN', session, 'cart')
  if type(cartLength) == 'table' then
    local fault = 'wrong_key_type:' .. redis.call('TYPE', session).ok
    return fault, 1, {}, optedOutAt, redis.sha1hex(fault .. tostring(optedOutAt)), 0
  end
  local fault = ''
  local wanted = names
  if cartLength > maxCart then
    fault = 'cart_too_large:' .. cartLength
    wanted = {}
    for i, name in ipairs(names) do wanted[i] = name == 'cart' and '' or name end
  end
  local values = redis.call('HMGET', session, unpack(wanted))
  local parts = { fault, tostring(optedOutAt) }
  local bytes, exists = 0, 0
  for i, value in ipairs(values) do
    if value then
      exists = 1
      if #value > FIELD_MAX and names[i] ~= 'cart' then
        fault = 'field_too_large:' .. names[i]
        value = value:sub(1, 64) .. #value
        values[i] = false
      end
      bytes = bytes + #value
      parts[#parts + 1] = #value .. ':' .. value
    else
      parts[#parts + 1] = '-'
    end
  end
  if exists == 0 then exists = redis.call('EXISTS', session) end
  parts[#parts + 1] = exists
  return fault, exists, values, optedOutAt, redis.sha1hex(table.concat(parts, '|')), bytes
end
