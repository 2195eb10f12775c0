/** Reads the settings, and the secrets that they take from a vault. */
import { type Config, type ConfigOptions, loadConfig, vaultReferences } from './config.ts';
import { UsageError } from './model/errors.ts';
import type { SecretStore } from './ports/secrets.ts';
import { type Logger, createLogger, silentLogger } from './runtime/logger.ts';
import { Renewed } from './runtime/renewed.ts';

/**
 * Reads the settings as `loadConfig` does. Where one is written `keyvault:NAME`, the vault is asked, and again for as long
 * as anything that was opened with these settings is open: a secret that is replaced there is taken over without a restart.
 * @throws UsageError as `loadConfig` does, and where the vault has no such secret
 * @throws SecretUnavailableError when the vault is away
 */
export async function openConfig(
  env: Readonly<Record<string, string | undefined>> = process.env,
  options: ConfigOptions = {},
  log: Logger = silentLogger,
): Promise<Config> {
  const { names, vaultUrl, everyMs } = vaultReferences(env, options);
  if (names.length === 0) return loadConfig(env, options);
  if (vaultUrl === undefined)
    throw new UsageError(`keyvault:${names.join(', keyvault:')}: give the vault by KEY_VAULT_URL`);
  const vault = await openVault(vaultUrl);
  let held: { readonly secrets: ReadonlyMap<string, string>; readonly config: Config } | undefined;
  const renewed = await Renewed.open<Config>({
    name: 'secrets',
    log,
    renew: async (signal) => {
      const read = async (name: string) => [name, await vault.read(name, signal)] as const;
      const secrets = new Map(await Promise.all(names.map(read)));
      if (!held || names.some((name) => held?.secrets.get(name) !== secrets.get(name)))
        held = { secrets, config: loadConfig(env, { ...options, secrets }) };
      return { value: held.config, askAgainInMs: everyMs };
    },
  });
  return Object.freeze({ ...renewed.current(), renewed });
}

/** The settings of a program of ours: from its environment, and from `.env` in its folder. @throws as `openConfig` does */
export function openOwnConfig(flags: NonNullable<ConfigOptions['flags']> = {}): Promise<Config> {
  const log = createLogger({ level: 'warn' });
  return openConfig(process.env, { envFile: ENV_FILE, flags }, log);
}

/** Where settings may stand beside the environment. */
export const ENV_FILE = '.env';

async function openVault(url: string): Promise<SecretStore> {
  const { azureCredential } = await import('./adapters/azure/credential.ts');
  const { KeyVaultSecrets } = await import('./adapters/secrets/key-vault/key-vault-secrets.ts');
  // A server of one's own stands at no address that the tokens are for.
  const isInAzure = !/^(127\.0\.0\.1|localhost|\[::1\])$/.test(new URL(url).hostname);
  return new KeyVaultSecrets({ url, credential: azureCredential(), isInAzure });
}
