-- Included by write.lua and restore.lua.

-- The library writes the count first into each message; other programs do not, and 4 bytes a token is the usual guess.
local function tokensOf(messages)
  local sum = 0
  for _, message in ipairs(messages) do
    sum = sum + (tonumber(message:match('^{"tokens":(%d+)')) or math.ceil(#message / 4))
  end
  return sum
end
