// Package fulltext turns titles and transcripts into what can be searched: words by their
// stems, and the places of a transcript that have all words of a query.
//
// A word is a run of letters and digits. It is reduced to the stem of its language, which
// its letters tell: Cyrillic ones are Russian, Latin ones English (the Snowball stemmers),
// so that "интегралы" finds "интеграла" and "limits" finds "limit". Both databases store
// the same stems, made here, and therefore find the same.
//
// The database finds the transcripts that have all stems somewhere. Where in a transcript
// they are close together is in its Positions, which are a third of the text and hold no
// text: a search reads the words themselves only for what it shows.
package fulltext
