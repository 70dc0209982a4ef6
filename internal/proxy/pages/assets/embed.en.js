// The embedded player in English. Modules are evaluated in the order of their imports: the words first.

import './words.en.js';
import './embed.js';
