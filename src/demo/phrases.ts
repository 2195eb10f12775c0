/** What people and the shop's assistant say in the demo, and what is for sale. */

/** BCP 47: English, Hindi, and Hindi in Latin letters. */
export type Language = 'en' | 'hi' | 'hi-Latn';

export type Situation = 'hello' | 'asks' | 'adds' | 'returns' | 'thanks' | 'reply' | 'nudge';

type Phrases = Readonly<Record<Situation, readonly [string, ...string[]]>>;

export const PHRASES: Readonly<Record<Language, Phrases>> = {
  en: {
    hello: ['Hi, is the new collection in?', 'Hello!', 'Good evening, I need a gift.'],
    asks: ['Do you have it in blue?', 'How long does delivery take?', 'Is M a loose fit?'],
    adds: ['I will take this one.', 'Please put it in my cart.', 'This one too.'],
    returns: ['Sorry, I was on a call.', 'Is my cart still there?', 'Back again!'],
    thanks: ['Thank you!', 'Great, see you next time.'],
    reply: ['Yes, it is in stock.', 'Delivery takes three days.', 'Of course!'],
    nudge: ['Anything else I can help with?', 'Shall I keep it aside for you?'],
  },
  hi: {
    hello: ['नमस्ते, नया कलेक्शन आया क्या?', 'नमस्ते!', 'मुझे एक तोहफ़ा लेना है।'],
    asks: ['यह नीले रंग में मिलेगा?', 'कितने दिन में पहुँचेगा?', 'M साइज़ ढीला है क्या?'],
    adds: ['यह वाला दे दीजिए।', 'इसे कार्ट में डाल दीजिए।', 'यह भी चाहिए।'],
    returns: ['माफ़ कीजिए, फ़ोन आ गया था।', 'मेरा कार्ट अभी है?', 'मैं वापस आ गई।'],
    thanks: ['धन्यवाद!', 'बहुत शुक्रिया।'],
    reply: ['जी, स्टॉक में है।', 'तीन दिन में पहुँच जाएगा।', 'ज़रूर!'],
    nudge: ['और कुछ चाहिए?', 'आपके लिए रख दूँ?'],
  },
  'hi-Latn': {
    hello: ['Hi, naya collection aa gaya kya?', 'Namaste ji!', 'Ek gift lena hai.'],
    asks: ['Blue mein milega?', 'Delivery kitne din mein?', 'M size loose hai kya?'],
    adds: ['Ye wala de do.', 'Cart mein daal do please.', 'Ye bhi chahiye.'],
    returns: ['Sorry, call aa gaya tha.', 'Mera cart abhi bhi hai na?', 'Wapas aa gayi!'],
    thanks: ['Thank you ji!', 'Bahut shukriya.'],
    reply: ['Haan ji, stock mein hai.', 'Teen din mein aa jayega.', 'Bilkul!'],
    nudge: ['Aur kuch chahiye?', 'Aapke liye side mein rakh du?'],
  },
};

export const NAMES = [
  'aarav',
  'asha',
  'dev',
  'diya',
  'farah',
  'imran',
  'isha',
  'joseph',
  'kabir',
  'kavya',
  'leela',
  'meera',
  'neel',
  'priya',
  'rohan',
  'sana',
  'tara',
  'vikram',
] as const;

/** Prices in rupees. */
export const CATALOGUE = [
  { product_id: 'kurta-indigo', name: 'Indigo kurta', price: 1_299 },
  { product_id: 'saree-silk', name: 'Silk saree', price: 4_850 },
  { product_id: 'sneakers-white', name: 'White sneakers', price: 2_499 },
  { product_id: 'jhumka-silver', name: 'Silver jhumka', price: 749 },
  { product_id: 'backpack-20l', name: '20-litre backpack', price: 1_899 },
  { product_id: 'headphones', name: 'Headphones', price: 3_299.5 },
  { product_id: 'shawl-wool', name: 'Wool shawl', price: 2_150 },
  { product_id: 'bottle-steel', name: 'Steel bottle', price: 549.9 },
] as const;
