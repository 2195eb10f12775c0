import { DefaultAzureCredential, type TokenCredential } from '@azure/identity';

let credential: TokenCredential | undefined;

/**
 * The identity of this process: of its pod or machine, of the variables AZURE_*, or of whoever is logged in on a
 * developer's machine. One for all clients, for it keeps the tokens.
 */
export function azureCredential(): TokenCredential {
  credential ??= new DefaultAzureCredential();
  return credential;
}
