import { TierWorld } from '../support/tier-world.ts';
import { demotionContract } from './demotion.ts';

demotionContract('SQLite', async (redis) => new TierWorld(redis));
