/** Random histories are others in each run, unless `PROPERTY_SEED` asks for the same ones again. */
import fc from 'fast-check';

const asked = process.env['PROPERTY_SEED'];
if (asked !== undefined) {
  const seed = Number(asked);
  if (!Number.isInteger(seed)) throw new Error(`PROPERTY_SEED is ${asked}: an integer is wanted`);
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
}
