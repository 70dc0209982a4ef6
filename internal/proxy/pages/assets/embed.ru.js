// The embedded player in Russian. Modules are evaluated in the order of their imports: the words first.

import './words.ru.js';
import './embed.js';
