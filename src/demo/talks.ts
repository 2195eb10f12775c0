/**
 * What people who have been in the shop before said then: something about themselves, a mistake of the shop, a discount
 * that won an order. It is for the tiers to learn from; what they learn stands nowhere here.
 */
import type { Language } from './phrases.ts';

/** What the user says, and what the assistant answers. */
export type Exchange = readonly [said: string, answered: string];

export interface Talk {
  /** Of the earlier visit. */
  readonly first: readonly Exchange[];
  /** It ended with an order. */
  readonly ordered: boolean;
  /** Of the later one. */
  readonly second: readonly Exchange[];
  /** What they want to know when they are back: it was spoken of in the later visit. */
  readonly question: string;
}

export const TALKS: Readonly<Record<Language, readonly [Talk, ...Talk[]]>> = {
  en: [
    {
      first: [
        ['Hi! I wear size M, and I don’t like red.', 'Noted: M, and nothing in red.'],
        [
          'The indigo kurta is lovely. Can I get a discount?',
          'Here is a coupon: 10 % off your order.',
        ],
        ['Wonderful, I will take it.', 'It is on its way, and arrives on Friday.'],
      ],
      ordered: true,
      second: [
        [
          'The indigo kurta came, but the sleeves are too short.',
          'I am sorry. It comes with long sleeves on Monday.',
        ],
        [
          'Then please keep one with long sleeves for me.',
          'It will be kept under your name until Sunday.',
        ],
      ],
      question: 'Do you still keep the kurta with long sleeves for me?',
    },
    {
      first: [
        ['You sent me the wrong size.', 'That was our mistake: a pair in 9 leaves today.'],
        ['Please message me on WhatsApp, not by e-mail.', 'On WhatsApp, with pleasure.'],
        ['And can I return the other pair?', 'The courier takes it along.'],
      ],
      ordered: false,
      second: [
        [
          'The sneakers fit now. I am looking for a backpack for Ladakh.',
          'The one of 20 litres is light, and keeps the rain out.',
        ],
        [
          'I would take the grey one with the rain cover.',
          'The grey one is back next week; I will tell you.',
        ],
      ],
      question: 'Is the grey backpack with the rain cover back?',
    },
    {
      first: [
        ['I live in Pune. I need a gift for my sister.', 'How nice! Would a saree please her?'],
        ['It would. My budget is 5,000 rupees.', 'Then the silk one at 4,850 is right.'],
        ['The delivery is expensive, though.', 'For you the delivery is free today.'],
      ],
      ordered: true,
      second: [
        [
          'My sister loved the saree. Now I want earrings with it.',
          'The silver jhumka go well with silk.',
        ],
        [
          'The small jhumka, please: the large ones are heavy.',
          'The small ones come in on Thursday; I set a pair aside.',
        ],
      ],
      question: 'Have the small jhumka come in?',
    },
  ],
  hi: [
    {
      first: [
        ['नमस्ते! मुझे सूती कपड़े पसंद हैं।', 'जी, सूती में बहुत कुछ आया है।'],
        ['मुझे लाल रंग पसंद नहीं है। कुछ छूट मिलेगी?', 'आज के लिए कूपन है: 10 % की छूट।'],
        ['बहुत अच्छा, नीला वाला दे दीजिए।', 'जी, शुक्रवार तक पहुँच जाएगा।'],
      ],
      ordered: true,
      second: [
        ['कुर्ता मिल गया, पर आस्तीन छोटी है।', 'माफ़ कीजिए, लंबी आस्तीन वाला सोमवार को आएगा।'],
        ['लंबी आस्तीन वाला कुर्ता मेरे लिए रख दीजिए।', 'जी, रविवार तक आपके नाम से रखा है।'],
      ],
      question: 'लंबी आस्तीन वाला कुर्ता अभी रखा है क्या?',
    },
    {
      first: [
        ['आपने गलत साइज़ भेज दिया।', 'गलती हमारी थी, 9 नंबर आज निकल रहा है।'],
        ['मुझे व्हाट्सएप पर मैसेज कीजिए।', 'ज़रूर, व्हाट्सएप पर ही।'],
        ['पुराना वापस करना है।', 'जी, कूरियर वाला साथ ले जाएगा।'],
      ],
      ordered: false,
      second: [
        ['जूते अब ठीक हैं। लद्दाख के लिए बैग चाहिए।', '20 लीटर वाला हल्का है, बारिश में भी ठीक।'],
        ['ग्रे बैग रेन कवर के साथ चाहिए।', 'ग्रे वाला अगले हफ़्ते आएगा, बता दूँगी।'],
      ],
      question: 'रेन कवर वाला ग्रे बैग आ गया क्या?',
    },
  ],
  'hi-Latn': [
    {
      first: [
        [
          'Namaste! Mujhe cotton pasand hai, polyester pasand nahi hai.',
          'Theek hai ji, sirf cotton dikhati hoon.',
        ],
        [
          'Main size L pehenti hoon. Thoda discount milega kya?',
          'Aaj ke liye coupon hai: 10 % off.',
        ],
        ['Badhiya, indigo wala de do.', 'Ho gaya ji, Shukravar tak pahunch jayega.'],
      ],
      ordered: true,
      second: [
        [
          'Kurta mil gaya, lekin aasteen chhoti hai.',
          'Maaf kijiye, lambi aasteen wala Somvar ko aayega.',
        ],
        [
          'Lambi aasteen wala kurta mere liye rakh dijiye.',
          'Ji, Ravivar tak aapke naam se rakha hai.',
        ],
      ],
      question: 'Lambi aasteen wala kurta abhi rakha hai kya?',
    },
    {
      first: [
        ['Aapne galat size bhej diya.', 'Galti hamari thi, 9 number aaj nikal raha hai.'],
        ['Mujhe WhatsApp par message kijiye.', 'Zaroor, WhatsApp par hi.'],
        ['Purana wapas karna hai.', 'Ji, courier wala saath le jayega.'],
      ],
      ordered: false,
      second: [
        [
          'Joote ab theek hain. Ladakh ke liye backpack chahiye.',
          '20 litre wala halka hai, baarish mein bhi theek.',
        ],
        ['Grey backpack rain cover ke saath chahiye.', 'Grey wala agle hafte aayega, bata dungi.'],
      ],
      question: 'Rain cover wala grey backpack aa gaya kya?',
    },
  ],
};
