/** A store of secrets, which settings name as `keyvault:NAME`. No secret stands in what it rejects with. */
export interface SecretStore {
  /**
   * The latest version of a secret.
   * @throws SecretUnavailableError when it cannot be had now
   * @throws UsageError when there is none of that name, or it can be no name
   */
  read(name: string, signal?: AbortSignal): Promise<string>;
}
