-- Included by the scripts that ask whether anybody reads: publish-1, trim-1.
--
-- observes(group): whether it only counts what passes. Of such a group the cap holds as of any other, but for it alone
-- nothing is trimmed: who subscribes first still finds what waits.

local function observes(group) return group == 'rekindle-report' end
