/** In which time zones is somebody with this telephone number? As far as the country tells. */
import { createRequire } from 'node:module';
import { getCountry } from 'countries-and-timezones';
import { IANAZone } from 'luxon';
import type * as PhoneNumbers from 'libphonenumber-js/min';

export interface ZonesOfCountry {
  /** ISO 3166, two letters. */
  readonly name: string;
  /** IANA zones, at least one. */
  readonly zones: readonly string[];
}

/**
 * Of a number in international form, with `+` or `00` (`+91 98765 43210`, `whatsapp:+919876543210`); undefined of any
 * other, for a national one may be of anywhere. Roaming is not seen.
 */
export function zonesOfPhone(phone: string): ZonesOfCountry | undefined {
  const digits = internationalDigits(phone);
  if (digits === undefined) return undefined;
  phoneNumbers ??= load();
  for (let length = 1; length <= 3; length += 1) {
    const code = digits.slice(0, length);
    const countries = phoneNumbers.countriesByCode.get(code);
    if (countries !== undefined) return countries.only ?? ofShared(code, digits, phoneNumbers);
  }
  return undefined;
}

/** E.164 knows no longer ones; shorter ones are no subscriber's. */
const DIGITS = /^\d{8,15}$/;

function internationalDigits(phone: string): string | undefined {
  // No number is written longer, and a field may hold anything.
  const written = phone.length <= 40 ? /^\s*(?:\w+:)?(?:\+|00)([\d\s().-]+)$/.exec(phone)?.[1] : '';
  const digits = written?.replace(/\D+/g, '') ?? '';
  return DIGITS.test(digits) ? digits : undefined;
}

interface Loaded {
  readonly parse: typeof PhoneNumbers.parsePhoneNumberFromString;
  readonly countriesByCode: ReadonlyMap<string, { readonly only: ZonesOfCountry | undefined }>;
}

let phoneNumbers: Loaded | undefined;

/** At the first number: the library takes 15 MB and more time to load than the rest of a watcher's start. */
function load(): Loaded {
  const library = createRequire(import.meta.url)('libphonenumber-js/min') as typeof PhoneNumbers;
  const countries = Map.groupBy(library.getCountries(), (one): string =>
    library.getCountryCallingCode(one),
  );
  return {
    parse: library.parsePhoneNumberFromString,
    countriesByCode: new Map(
      [...countries].map(([code, [first, ...others]]) => [
        code,
        { only: others.length === 0 && first !== undefined ? zonesOf(first) : undefined },
      ]),
    ),
  };
}

/**
 * Of a code that several countries share, such as +1. The first digits behind it tell them apart: in the Americas those
 * of the area, elsewhere those of a block; and to read a whole number takes as long as the rest of an announcement.
 */
function ofShared(code: string, digits: string, { parse }: Loaded): ZonesOfCountry | undefined {
  const key = digits.slice(0, code === '1' ? 4 : code.length + 5);
  const known = shared.get(key);
  if (known) return known;
  const country = parse(`+${digits}`)?.country;
  const found = country && zonesOf(country);
  // A number that is none says nothing of its neighbours.
  if (!found) return undefined;
  if (shared.size >= SHARED_KEPT) shared.clear();
  shared.set(key, found);
  return found;
}

/** A bound on the memo. */
const SHARED_KEPT = 20_000;
const shared = new Map<string, ZonesOfCountry>();

function zonesOf(country: string): ZonesOfCountry | undefined {
  // Those that this system's own table of zones does not know yet have no clock here.
  const zones = (getCountry(country)?.timezones ?? []).filter((zone) => IANAZone.isValidZone(zone));
  return zones.length === 0 ? undefined : { name: country, zones };
}
