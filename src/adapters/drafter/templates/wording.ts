import type { Hint } from './hint.ts';
import type { TemplateLanguage } from './language.ts';

/** The first announcement of an episode reminds, those after it ask once more, the last one says that it is the last. */
export type Tone = 'first' | 'between' | 'last';

/** What is said in one language. `goods` is what is in the cart, as `list` says it. */
export interface Wording {
  /** Names things, with how many more there are; names none where none is known. */
  readonly list: (named: readonly string[], others: number) => string;
  readonly greeting: string;
  readonly short: Readonly<Record<Tone, (goods: string) => string>>;
  readonly subject: Readonly<Record<Tone, string>>;
  readonly body: Readonly<Record<Tone, (goods: string) => string>>;
  readonly hint: Readonly<Record<Hint, string>>;
  readonly farewell: string;
}

const english: Wording = {
  list: (named, others) => {
    if (named.length === 0)
      return others === 1 ? 'the item in your cart' : 'the items in your cart';
    const more = others > 0 ? [`${others} more`] : [];
    return new Intl.ListFormat('en').format([...named, ...more]);
  },
  greeting: 'Hello,',
  short: {
    first: (goods) => `Hi! We have kept ${goods} for you. Shall we help you finish your order?`,
    between: (goods) =>
      `Hi again! ${upper(goods)} can still be yours. Is there anything you would like to know?`,
    last: (goods) =>
      `A last word from us about ${goods}: write to us if you still want it. We will not remind you again.`,
  },
  subject: {
    first: 'We have kept your cart for you',
    between: 'Your cart is still here',
    last: 'A last word about your cart',
  },
  body: {
    first: (goods) =>
      `you left ${goods} with us. Everything is as you left it, so you can go on whenever you like.`,
    between: (goods) =>
      `${goods} can still be yours. If something is unclear, answer this mail and we will help.`,
    last: (goods) =>
      `this is our last word about ${goods}. If you still want it, your cart is there; if not, we will not remind you again.`,
  },
  hint: {
    delivery: 'If it is about delivery: we gladly tell you when it would arrive.',
    returns: 'If it is about returns: we gladly explain how they work.',
    price: 'If it is about the price: we gladly look at it with you.',
    fit: 'If it is about the fit: we gladly help you choose.',
    own_size: 'And it is in your size.',
  },
  farewell: 'Your shop',
};

const hindi: Wording = {
  list: (named, others) => {
    if (named.length === 0) return 'आपके कार्ट का सामान';
    const more = others > 0 ? [`${others} और चीज़ें`] : [];
    return new Intl.ListFormat('hi').format([...named, ...more]);
  },
  greeting: 'नमस्ते,',
  short: {
    first: (goods) => `नमस्ते! ${goods} हमने आपके लिए रखा है। क्या ऑर्डर पूरा करने में हम मदद करें?`,
    between: (goods) => `नमस्ते! ${goods} अब भी आपके लिए उपलब्ध है। क्या आप कुछ पूछना चाहेंगे?`,
    last: (goods) =>
      `${goods} के बारे में यह हमारा आख़िरी संदेश है। अगर अब भी चाहिए तो हमें लिखें। इसके बाद हम याद नहीं दिलाएँगे।`,
  },
  subject: {
    first: 'आपका कार्ट हमने सँभालकर रखा है',
    between: 'आपका कार्ट अब भी यहाँ है',
    last: 'आपके कार्ट के बारे में आख़िरी संदेश',
  },
  body: {
    first: (goods) => `आपने हमारे यहाँ छोड़ा है: ${goods}। सब कुछ वैसा ही है, आप जब चाहें आगे बढ़ सकते हैं।`,
    between: (goods) =>
      `${goods} अब भी आपके लिए उपलब्ध है। अगर कुछ साफ़ न हो तो इस मेल का जवाब दें, हम मदद करेंगे।`,
    last: (goods) =>
      `${goods} के बारे में यह हमारा आख़िरी संदेश है। अगर अब भी चाहिए तो आपका कार्ट यहीं है; नहीं तो हम फिर याद नहीं दिलाएँगे।`,
  },
  hint: {
    delivery: 'अगर बात डिलीवरी की है, तो हम बताएँगे कि सामान कब पहुँचेगा।',
    returns: 'अगर बात वापसी की है, तो हम बताएँगे कि वह कैसे होती है।',
    price: 'अगर बात दाम की है, तो हम आपके साथ देख लेंगे।',
    fit: 'अगर बात फ़िटिंग की है, तो चुनने में हम मदद करेंगे।',
    own_size: 'और यह आपके साइज़ में है।',
  },
  farewell: 'आपकी दुकान',
};

const hinglish: Wording = {
  list: (named, others) => {
    if (named.length === 0) return 'aapke cart ka saamaan';
    const things = [...named, ...(others > 0 ? [`${others} aur items`] : [])];
    const last = things.at(-1) ?? '';
    return things.length === 1 ? last : `${things.slice(0, -1).join(', ')} aur ${last}`;
  },
  greeting: 'Namaste,',
  short: {
    first: (goods) =>
      `Hi! ${upper(goods)} humne aapke liye rakha hai. Order poora karne mein help karein?`,
    between: (goods) => `Hi! ${upper(goods)} ab bhi available hai. Kuch poochna ho to bataiye.`,
    last: (goods) =>
      `${upper(goods)} ke baare mein yeh hamara aakhri message hai. Ab bhi chahiye to humein likhiye. Iske baad hum yaad nahin dilayenge.`,
  },
  subject: {
    first: 'Aapka cart humne sambhal kar rakha hai',
    between: 'Aapka cart ab bhi yahin hai',
    last: 'Aapke cart ke baare mein aakhri message',
  },
  body: {
    first: (goods) =>
      `aapne hamare yahan chhoda hai: ${goods}. Sab kuch waisa hi hai, jab chahein aage badhiye.`,
    between: (goods) =>
      `${goods} ab bhi available hai. Kuch clear na ho to is mail ka reply kijiye, hum help karenge.`,
    last: (goods) =>
      `${goods} ke baare mein yeh hamara aakhri message hai. Ab bhi chahiye to aapka cart yahin hai; nahin to hum phir yaad nahin dilayenge.`,
  },
  hint: {
    delivery: 'Agar baat delivery ki hai, to hum bata denge ki kab pahunchega.',
    returns: 'Agar baat return ki hai, to hum samjha denge ki kaise hota hai.',
    price: 'Agar baat price ki hai, to hum saath mein dekh lenge.',
    fit: 'Agar baat fitting ki hai, to choose karne mein hum help karenge.',
    own_size: 'Aur yeh aapke size mein hai.',
  },
  farewell: 'Aapki shop',
};

export const WORDINGS: Readonly<Record<TemplateLanguage, Wording>> = {
  en: english,
  hi: hindi,
  'hi-en': hinglish,
};

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
