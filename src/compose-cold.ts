/** Opens the cold tier, and whoever says what is worth keeping there. */
import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ChatOptions } from './adapters/openai/chat.ts';
import type { Config } from './config.ts';
import type { Diagnosis } from './model/diagnosis.ts';
import { UsageError, errorMessage } from './model/errors.ts';
import type { Clock } from './ports/clock.ts';
import type { ColdStore } from './ports/cold.ts';
import type { Summarizer } from './ports/summarizer.ts';

/** Where the cold tier of the settings lies, if it is a folder. */
export function coldFolder(config: Pick<Config, 'dataDir'>): string {
  return join(config.dataDir, 'cold');
}

/** Where the cold tier of the settings lies, in words. */
export function coldPlace(config: Config): string {
  const { cold, blobContainer, blobAccountUrl } = config;
  if (cold === 'files') return coldFolder(config);
  const { origin = 'the account of BLOB_CONNECTION_STRING' } =
    URL.parse(blobAccountUrl ?? '') ?? {};
  return `${blobContainer} at ${origin}`;
}

/**
 * Opens the cold tier.
 * @throws UnsuitableStoreError when what stands there is another program's, or of a newer version
 */
export async function openCold(config: Config, clock: Pick<Clock, 'now'>): Promise<ColdStore> {
  if (config.cold === 'blob')
    return (await import('./compose-azure.ts')).openBlobCold(config, clock);
  const { FilesCold } = await import('./adapters/cold/files/files-cold.ts');
  return FilesCold.open(coldFolder(config), clock);
}

/** Opens the cold tier if there is one: for those who only look. @throws as `openCold` does */
export async function openStandingCold(
  config: Config,
  clock: Pick<Clock, 'now'>,
): Promise<ColdStore | undefined> {
  if (config.cold !== 'files') return openCold(config, clock);
  const stands = await access(coldFolder(config)).then(
    () => true,
    () => false,
  );
  return stands ? openCold(config, clock) : undefined;
}

/** Says whether a compactor could use the cold tier of these settings. */
export async function examineCold(config: Config, clock: Pick<Clock, 'now'>): Promise<Diagnosis[]> {
  if (config.cold === 'blob') return (await import('./compose-azure.ts')).examineBlob(config);
  const folder = resolve(coldFolder(config));
  try {
    const cold = await openStandingCold(config, clock);
    if (!cold) return [{ level: 'ok', what: `cold tier: ${folder} is not there yet` }];
    await cold.count('rekindle').finally(() => cold.close());
    return [{ level: 'ok', what: `cold tier: ${folder} can be used` }];
  } catch (error) {
    return [{ level: 'refuse', what: `cold tier: ${errorMessage(error)}` }];
  }
}

/** Who says what is worth keeping of a conversation. */
export async function openSummarizer(config: Config): Promise<Summarizer> {
  // The tokenizer takes 60 MB: only who compacts pays for it.
  const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
  const { summarizer } = config;
  const count = (text: string): number => countTokens(text);
  if (summarizer === 'extractive') {
    const { ExtractiveSummarizer } = await import(
      './adapters/summarizer/extractive/extractive-summarizer.ts'
    );
    return new ExtractiveSummarizer({ countTokens: count });
  }
  const { OpenAiSummarizer } = await import('./adapters/summarizer/openai/openai-summarizer.ts');
  return new OpenAiSummarizer({
    countTokens: count,
    ...modelOf(config, 'REKINDLE_SUMMARIZER=openai'),
  });
}

/**
 * Which model is asked, and where.
 * @param asking the setting that wants one
 * @throws UsageError where it is not said
 */
export function modelOf(config: Config, asking: string): ChatOptions {
  const { openaiModel: model, openaiApiKey: apiKey, openaiBaseUrl: baseUrl } = config;
  const { azureOpenaiEndpoint: endpoint, azureOpenaiApiVersion: apiVersion } = config;
  if (model === undefined || apiKey === undefined)
    throw new UsageError(`${asking} needs OPENAI_MODEL and OPENAI_API_KEY`);
  return {
    model,
    apiKey,
    ...(baseUrl !== undefined && { baseUrl }),
    ...(endpoint !== undefined && { azure: { endpoint, apiVersion } }),
  };
}
