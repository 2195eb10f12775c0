-- Tells how far each consumer group is behind.
--
-- KEYS[1]  the stream
-- Returns  {name, behind, dead letters} for each group
--
-- Guarantee: changes nothing; all figures are of one instant.

--@include behind.include.lua

local states = {}
for i, group in ipairs(groups_of(KEYS[1])) do states[i] = {group.name, group.behind, group.dead} end
return states
