-- Included by write.lua and restore.lua. As in src/model/instant.ts.
local MILLISECONDS_FROM = 946684800000
local LATEST_ISO_MS = 253402300799999
local FUTURE_TOLERANCE_MS = 300000

local function toMs(text)
  local value = tonumber(text or nil)
  if not value then return nil end
  return value < MILLISECONDS_FROM and value * 1000 or value
end
