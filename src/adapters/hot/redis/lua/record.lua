-- Included by snapshot.lua and sink.lua: a session as it physically stands, so that both see the same.
--
-- record(session, messages, overflow, maxField, page, from) -> table
--   fields, leftOut      names and values in turn; names of fields that are too large (or '*': no field can be read)
--   overflow, window     a page of each; no window while more of the overflow waits; a text where others keep one
--   following            '' or 'overflow', or where the next page of the window begins
--   digest, head         of session, window and overflow, '' where those are more than one page; of the overflow's page
-- It never decodes JSON (cjson turns [] into {} and rounds large ids).

-- A text that others keep instead of the list.
local TEXT_MAX = 1048576

-- What a session has more of is no field.
local NAMES_MAX = 1024

local call = redis.call

local function kindOf(key)
  return call('TYPE', key).ok
end

local function fieldsOf(session, maxField)
  local fields, leftOut, parts = {}, {}, {}
  local kind = kindOf(session)
  if kind == 'none' then return fields, leftOut, parts end
  if kind ~= 'hash' or call('HLEN', session) > NAMES_MAX then return fields, { '*' }, parts end
  local names = call('HKEYS', session)
  -- The order of a hash is nobody's promise.
  table.sort(names)
  for _, name in ipairs(names) do
    local length = call('HSTRLEN', session, name)
    local value = ''
    if length > maxField then
      leftOut[#leftOut + 1] = name
    else
      value = call('HGET', session, name)
      fields[#fields + 1] = name
      fields[#fields + 1] = value
    end
    parts[#parts + 1] = #name .. ':' .. name .. length .. ':' .. value
  end
  return fields, leftOut, parts
end

-- sha1hex of each first: else the ends of two texts could be moved without notice.
local function digestOf(list)
  local parts = {}
  for i, text in ipairs(list) do parts[i] = redis.sha1hex(text) end
  return redis.sha1hex(table.concat(parts))
end

local function record(session, messages, overflow, maxField, page, from)
  local found = { following = '', overflow = {}, window = {} }
  local parts
  found.fields, found.leftOut, parts = fieldsOf(session, maxField)

  local waiting = kindOf(overflow) == 'list' and call('LLEN', overflow) or 0
  if waiting > 0 then found.overflow = call('LRANGE', overflow, 0, page - 1) end
  found.head = digestOf(found.overflow)

  local kind = kindOf(messages)
  local length = kind == 'list' and call('LLEN', messages) or 0
  if waiting > page then
    found.following = 'overflow'
  elseif kind == 'list' then
    found.window = call('LRANGE', messages, from, from + page - 1)
    if length > from + page then found.following = tostring(from + page) end
  elseif kind == 'string' then
    if call('STRLEN', messages) > TEXT_MAX then
      found.leftOut[#found.leftOut + 1] = ':messages'
    else
      found.window = call('GET', messages)
    end
  end

  local whole = waiting <= page and length <= page and from == 0
  local said = type(found.window) == 'string' and redis.sha1hex(found.window) or digestOf(found.window)
  found.digest = whole and digestOf({ table.concat(parts), kind, said, found.head }) or ''
  return found
end
