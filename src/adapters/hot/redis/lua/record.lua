-- Included by snapshot.lua and sink.lua: a session as it physically stands, so that both see the same.
--
-- record(session, messages, overflow, maxField, page, from) -> table
--   fields, leftOut      names and values in turn; names of fields that are too large (or '*': no field can be read)
--   overflow, window     a page of each; no window while more of the overflow waits; a text where others keep one
--   following            '' or 'overflow', or where the next page of the window begins
--   digest, head         of session, window and overflow, '' where those are more than one page; of the overflow's page
--   bytes                of what was read, or BYTES_MAX where it is more than a page: who reads others as well stops there
-- It never decodes JSON (cjson turns [] into {} and rounds large ids).

-- As much as read.lua takes in 2.7 ms, which hashes it once; here it is packed as well, and hashed twice.
local BYTES_MAX = 262144

-- A text that others keep instead of the list.
local TEXT_MAX = 1048576

-- What a session has more of is no field.
local NAMES_MAX = 1024

local call = redis.call

-- What Redis raises is a table, what Lua raises a text.
local function textOf(raised)
  return type(raised) == 'table' and raised.err or tostring(raised)
end

-- Nothing where there is a value of another kind.
local function lengthOf(command, key)
  local length = redis.pcall(command, key)
  return type(length) == 'number' and length or nil
end

local function fieldsOf(session, maxField)
  local count = lengthOf('HLEN', session)
  if count == 0 then return {}, {} end
  if not count or count > NAMES_MAX then return {}, { '*' } end
  local bytes = redis.pcall('MEMORY', 'USAGE', session, 'SAMPLES', 0)
  if type(bytes) == 'number' and bytes <= maxField then return call('HGETALL', session), {} end
  local fields, leftOut = {}, {}
  for _, name in ipairs(call('HKEYS', session)) do
    if call('HSTRLEN', session, name) > maxField then
      leftOut[#leftOut + 1] = name
    else
      fields[#fields + 1] = name
      fields[#fields + 1] = call('HGET', session, name)
    end
  end
  return fields, leftOut
end

-- Packed, where each text has its length: else the ends of two texts could be moved without notice.
local function digestOf(values)
  local packed = cmsgpack.pack(values)
  return redis.sha1hex(packed), #packed
end

local function record(session, messages, overflow, maxField, page, from)
  local found = { following = '', overflow = {}, window = {}, head = '', digest = '', bytes = BYTES_MAX }
  found.fields, found.leftOut = fieldsOf(session, maxField)

  local waiting = lengthOf('LLEN', overflow) or 0
  if waiting > 0 then
    found.overflow = call('LRANGE', overflow, 0, page - 1)
    found.head = (digestOf(found.overflow))
  end

  local length = lengthOf('LLEN', messages)
  if waiting > page then
    found.following = 'overflow'
  elseif length then
    if length > 0 then found.window = call('LRANGE', messages, from, from + page - 1) end
    if length > from + page then found.following = tostring(from + page) end
  elseif call('TYPE', messages).ok == 'string' then
    if call('STRLEN', messages) > TEXT_MAX then
      found.leftOut[#found.leftOut + 1] = ':messages'
    else
      found.window = call('GET', messages)
    end
  end

  local whole = waiting <= page and (length or 0) <= page and from == 0
  -- A hash that is told in another order counts as changed: it is read once more then.
  if whole then
    found.digest, found.bytes = digestOf({ found.fields, found.leftOut, found.window, found.head })
  end
  return found
end
