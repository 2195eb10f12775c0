/** One turn of a conversation, in the shape that model SDKs use. Unknown keys are kept. */
export interface Message {
  readonly id?: string;
  readonly role: string;
  /** A text, or an array of parts of which those with `text` are read. */
  readonly content: string | readonly Readonly<Record<string, unknown>>[];
  /** Unix milliseconds. */
  readonly at?: number;
  /** Tokens of the content, counted by the library when it appends; first in the stored JSON (see write.lua). */
  readonly tokens?: number;
  readonly [key: string]: unknown;
}

/** The text of a message: its content, or its text parts one a line. */
export function messageText(message: Message): string {
  if (typeof message.content === 'string') return message.content;
  return message.content
    .map((part) => part['text'])
    .filter((text) => typeof text === 'string')
    .join('\n');
}
