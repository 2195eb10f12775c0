/** What the lists of the package `stopword` lack: words of talk, and Hindi as it is typed in Latin letters. */

/** English that carries a conversation and no news. */
export const SPOKEN_STOP_WORDS: readonly string[] = words(`
  i'm i'll i've i'd you're you'll you've you'd he's she's it's it'll that's there's here's what's let's we're we'll we've
  they're they'll they've isn't aren't wasn't weren't don't doesn't didn't won't wouldn't can't couldn't shouldn't haven't
  hasn't hadn't ain't s t re ve ll d m don didn doesn isn won
  no not yes yeah yep nope ok okay oh ah uh um hmm well please thank thanks welcome sorry hello hi hey bye goodbye sure
  right just really quite so then than too very can could will would shall should may might must do does did done
  am are is was were been being have having i you he she it we they me him her us them my your his its our their mine yours
  this that these those here there what when where why how who whom whose which if because though although unless until
  let get got go going gone know think see say said tell one thing things something anything nothing lot bit kind course great good nice perfect exactly fine
  sir madam ma'am mr mrs ms
`);

/** With the spellings that are common; nobody has fixed them. */
export const HINGLISH_STOP_WORDS: readonly string[] = words(`
  hai hain he hoon hun hu ho tha thi the hota hoti hote hua hui hue hoga hogi honge raha rahi rahe rha rhi rhe
  ka ki ke ko se mein mei me mai main par pe per tak liye liya lie ne aur ya ki kya kyu kyun kyon kab kahan kahaan kaise
  kaisa kaisi kitna kitne kitni kaun kon kaunsa konsa jo jab jahan agar toh to bhi hi na nahi nahin nhi mat haan han ji
  yeh ye yah woh wo wah voh is us in un isko usko inko unko iska uska isme usme ab abhi phir fir lekin par magar
  mujhe muje mujhko mera meri mere hum ham humko hame hamein hamara hamari tum tumhe tumhara aap aapko aapka aapki apna
  apni apne koi kuch kuchh sab bahut bohot bhot bas accha acha achha theek thik kar karo kare karna karne karta karti karte
  kiya kijiye kijie karein de do dena dijiye dijie diya lo lena le jaa ja jao gaya gayi gaye wala wali wale ek
  bhai yaar sahab dhanyavad shukriya namaste namaskar
`);

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}
