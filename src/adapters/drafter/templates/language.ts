/** The languages that there are templates for. `hi-en` is Hindi in Latin letters with English words in it. */
export type TemplateLanguage = 'en' | 'hi' | 'hi-en';

/** Which of them comes nearest to what a session says: `hi-IN` is `hi`, `hi-Latn` and `hinglish` are `hi-en`. */
export function templateLanguage(said: string | undefined): TemplateLanguage {
  const [language = '', ...rest] = (said ?? '')
    .trim()
    .toLowerCase()
    .split(/[-_\s]+/);
  if (language === 'hinglish') return 'hi-en';
  if (language !== 'hi' && language !== 'hin' && language !== 'hindi') return 'en';
  return rest.includes('latn') || rest.includes('en') ? 'hi-en' : 'hi';
}
