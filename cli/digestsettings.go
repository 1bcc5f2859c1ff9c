package cli

// What an operator can say of who is told: he has no other list of it.

// channelSettings is everything that the file of the channels can say.
const channelSettings = `every = "20h"            at most one digest in this time; without it, one with each run

[[channel]]              one for each way to tell something
name = "admins"          of letters, digits and -; what messages wait under in the ledger
kind = "smtp"            smtp, sendmail, webhook or command

smtp and sendmail:
  from = "orderly@example.com"
  to = ["admins@example.com"]
smtp:
  server = "mail.example.com"   the port may follow a colon; else 465, 587 (starttls) or 25
  tls = "implicit"       implicit, starttls, opportunistic (where offered, unverified, no login) or
                         none (a server on this host)
  login = "FILE"         user and password, a line each; only its owner may read it (mode 0600)
  auth = "plain"         plain, login or cram-md5; without it, what the server offers
  roots = "FILE"         roots for the server's certificate, in PEM; without it, the system's
sendmail:
  program = "/usr/sbin/sendmail"
webhook:
  url = "https://…"      redirects are not followed; mode 0600 for the file, if there is one
  form = "json"          json, or slack (Slack, Mattermost, Rocket.Chat)
  insecure = true        plain HTTP to another host than this one
command:
  run = "notify --urgent"   by /bin/sh; the message on its standard input, ORDERLY_SUBJECT set
  form = "text"          text or json
`
