/** Makes what the settings name and the services do not have yet, or says what that is. */
import type { Config } from './config.ts';
import type { Diagnosis } from './model/diagnosis.ts';

/**
 * Looks at the services of Azure that the settings use; what lies in Redis and in files makes itself.
 * @param how.apply makes what is missing; else nothing is changed
 */
export async function setUp(
  config: Config,
  { apply }: { readonly apply: boolean },
): Promise<Diagnosis[]> {
  const { bus, warm, cold } = config;
  if (bus !== 'service-bus' && warm !== 'cosmos' && cold !== 'blob')
    return [{ level: 'ok', what: 'nothing is to be set up: Redis and files make themselves' }];
  const { setUpBlob, setUpCosmos, setUpServiceBus } = await import('./compose-azure.ts');
  return [
    ...(bus === 'service-bus' ? await setUpServiceBus(config, apply) : []),
    ...(warm === 'cosmos' ? await setUpCosmos(config, apply) : []),
    ...(cold === 'blob' ? await setUpBlob(config, apply) : []),
  ];
}
