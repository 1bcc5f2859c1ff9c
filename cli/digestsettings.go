package cli

// What an operator can say of who is told: he has no other list of it.

// channelSettings is everything that the file of the channels can say, as a file that can be read:
// it is pasted, and what is not wanted is taken out.
const channelSettings = `every = "20h"                 # at most one digest in this time; without it, one with each run

[[channel]]                   # one for each way to tell something
name = "admins"               # of letters, digits and -; what messages wait under in the ledger
kind = "smtp"                 # smtp, sendmail, webhook or command
from = "orderly@example.com"
to = ["admins@example.com"]
server = "mail.example.com"   # the port may follow a colon; else 465, 587 (starttls) or 25
tls = "implicit"              # implicit, starttls, opportunistic (where offered, unverified, no
                              # login) or none (a server on this host)
login = "smtp-login"          # a file: user and password, a line each; mode 0600
# auth = "plain"              # plain, login or cram-md5; without it, what the server offers
# roots = "FILE"              # roots for the server's certificate, in PEM; else the system's

[[channel]]
name = "root"
kind = "sendmail"
from = "orderly@example.com"
to = ["root@localhost"]
program = "/usr/sbin/sendmail"

[[channel]]
name = "chat"
kind = "webhook"
url = "https://chat.example.com/hook"   # redirects are not followed; mode 0600 for this file
form = "json"                 # json, or slack (Slack, Mattermost, Rocket.Chat)
# insecure = true             # plain HTTP to another host than this one

[[channel]]
name = "script"
kind = "command"
run = "notify --urgent"       # by /bin/sh; the message on its standard input, ORDERLY_SUBJECT set
form = "text"                 # text or json
`
