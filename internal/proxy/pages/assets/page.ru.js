// The page in Russian. Modules are evaluated in the order of their imports: the words first.

import './words.ru.js';
import './app.js';
