// Package clients plays and downloads recordings of a running gateway with the players,
// browsers and downloaders that people use, none of which was written here. Each reads what
// it likes as it likes; what arrives is compared with what it makes of a local file.
//
// The suite runs some of them; all run with CLIENTS=all, which scripts/clients sets when it
// has installed them. CLIENTS_TABLE names a file for a table of what each requested.
package clients
