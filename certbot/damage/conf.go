package damage

import (
	"fmt"
	"strings"
)

// Renewal files that people and programs have damaged, each in a way that was seen.

// webroots are the ways in which a name loses its document root.
func webroots() []Case {
	return []Case{
		{Name: "empty-map", Sentence: "certbot 0.31 to 0.34 reused authorizations and wrote an empty [[webroot_map]], which hid webroot_path from it ever after",
			Make: edited(emptyMap), Serves: true},
		{Name: "empty-map-without-path", Sentence: "the same certbot then dropped webroot_path at the next renewal",
			Make: edited(emptyMap, swap("webroot_path = ROOT,\n", "")), Want: "no document root is configured for"},
		{Name: "neither-map-nor-path", Sentence: "both were lost in a rewrite",
			Make: edited(noMap, swap("webroot_path = ROOT,\n", "")), Want: "has neither an entry in [[webroot_map]] nor a webroot_path"},
		{Name: "name-not-in-map", Sentence: "a name was validated through a reused authorization and never entered",
			Make: edited(swap("[[webroot_map]]\nNAME = ROOT\n", "[[webroot_map]]\n")), Serves: true},
		{Name: "name-not-in-map-without-path", Sentence: "the same, in a file whose webroot_path is lost",
			Make: edited(swap("[[webroot_map]]\nNAME = ROOT\n", "[[webroot_map]]\n"), swap("webroot_path = ROOT,\n", "")), Want: "no document root is configured for"},
		{Name: "stale-entry", Sentence: "a name was taken out of the certificate, its entry and its dead path stayed",
			Make: edited(appended("old.NAME = /nowhere/old\n")), Serves: true, Want: "belongs to no name of the certificate"},
		{Name: "path-without-comma", Sentence: "webroot_path lost its comma in an editor, or was written by letsencrypt 0.0",
			Make: edited(emptyMap, swap("webroot_path = ROOT,", "webroot_path = ROOT")), Serves: true},
		{Name: "several-paths", Sentence: "two -w were given, and only the last counts for names that the map lacks",
			Make: edited(emptyMap, swap("webroot_path = ROOT,", "webroot_path = /nowhere/first, ROOT")), Serves: true},
		{Name: "path-is-a-lone-comma", Sentence: "webroot_path was emptied by hand",
			Make: edited(emptyMap, swap("webroot_path = ROOT,", "webroot_path = ,")), Want: "no document root is configured for"},
		{Name: "empty-entry", Sentence: "a control panel wrote an empty path",
			Make: edited(swap("[[webroot_map]]\nNAME = ROOT\n", "[[webroot_map]]\nNAME = \"\"\n")), Want: "is empty or no path"},
		{Name: "entry-of-two-paths", Sentence: "somebody wrote two paths behind one name",
			Make: edited(swap("[[webroot_map]]\nNAME = ROOT\n", "[[webroot_map]]\nNAME = ROOT, /srv/other\n")), Want: "is empty or no path"},
		{Name: "entry-with-comma", Sentence: "somebody gave the entry the comma that webroot_path needs",
			Make: edited(swap("[[webroot_map]]\nNAME = ROOT\n", "[[webroot_map]]\nNAME = ROOT,\n")), Serves: true},
		{Name: "relative-entry", Sentence: "a script wrote a path relative to its own directory",
			Make: edited(swap("[[webroot_map]]\nNAME = ROOT\n", "[[webroot_map]]\nNAME = htdocs\n")), Want: "is no absolute path"},
		{Name: "entry-in-capitals", Sentence: "the entry was typed as the customer writes the name",
			Make: edited(func(d Dir, text string) string {
				return strings.Replace(text, "[[webroot_map]]\n"+d.Name, "[[webroot_map]]\n"+strings.ToUpper(d.Name), 1)
			}), Serves: true},
		{Name: "map-is-a-value", Sentence: "a template wrote webroot_map = {} instead of a section",
			Make: edited(noMap, param("webroot_map = {}")), Serves: true},
		{Name: "map-with-single-brackets", Sentence: "the section was typed with one pair of brackets, and certbot does not see it",
			Make: edited(swap("[[webroot_map]]", "[webroot_map]"), swap("webroot_path = ROOT,\n", "")), Serves: true, Want: "lacks its second pair of brackets"},
		{Name: "root-gone", Sentence: "the customer's document root was removed",
			Make: edited(swap("[[webroot_map]]\nNAME = ROOT\n", "[[webroot_map]]\nNAME = ROOT/gone\n")), Want: "does not exist", By: "preflight"},
		{Name: "root-is-a-file", Sentence: "a file stands where the document root was",
			Make: func(d Dir) error {
				return edited(swap("[[webroot_map]]\nNAME = ROOT\n", "[[webroot_map]]\nNAME = "+d.Conf()+"\n"))(d)
			}, Want: "is not a directory", By: "preflight"},
	}
}

// misplaced are settings that were appended to the end of the file, behind [[webroot_map]].
func misplaced() []Case {
	const read = "it is read as the setting"
	return []Case{
		{Name: "hook-at-the-end", Sentence: "an administrator appended a hook, which certbot takes for a name with a document root",
			Make: edited(appended("post_hook = true\n")), Serves: true, Want: read},
		{Name: "hook-with-comma-at-the-end", Sentence: "the appended hook has a comma besides",
			Make: edited(appended("renew_hook = echo a, b\n")), Serves: true, Want: read},
		{Name: "second-hook-at-the-end", Sentence: "the hook was appended though [renewalparams] has one",
			Make: edited(param("post_hook = true"), appended("post_hook = false\n")), Serves: true, Want: "has its own"},
		{Name: "path-at-the-end", Sentence: "webroot_path was appended to mend an empty map",
			Make: edited(emptyMap, swap("webroot_path = ROOT,\n", ""), appended("webroot_path = ROOT,\n")), Serves: true, Want: read},
		{Name: "key-type-at-the-end", Sentence: "key_type and reuse_key were appended by a script that rolls out a policy",
			Make: edited(appended("key_type = rsa\nreuse_key = False\n")), Serves: true, Want: "has its own"},
		{Name: "hook-behind-renewal-information", Sentence: "the same script met a file of certbot 5, whose last section is another",
			Make: edited(appended("[acme_renewal_info]\nari_retry_after = 2026-05-01T03:04:05\npost_hook = true\n")), Serves: true, Want: "has no effect in [acme_renewal_info]"},
		{Name: "interval-in-parameters", Sentence: "renew_before_expiry was written below [renewalparams]",
			Make: edited(param("renew_before_expiry = 60 days")), Serves: true, Want: "has no effect in [renewalparams]"},
		{Name: "interval-longer-than-life", Sentence: "renew_before_expiry is from the time of certificates that lived for years",
			Make: edited(swap("version = 2.1.0", "renew_before_expiry = 200 days\nversion = 2.1.0")), Serves: true, Want: "has no effect: the certificate lives only 90 days"},
		{Name: "interval-not-understood", Sentence: "renew_before_expiry was written in another language",
			Make: edited(swap("version = 2.1.0", "renew_before_expiry = 30 Tage\nversion = 2.1.0")), Serves: true, Want: "is not understood"},
	}
}

// settings are values that certbot cannot use, or once could.
func settings() []Case {
	return []Case{
		{Name: "hook-with-comma", Sentence: "a hook with a comma was written without quotes and became a list",
			Make: edited(param("post_hook = echo a, b")), Serves: true, Want: "has a comma and is not quoted"},
		{Name: "hook-with-date", Sentence: "a hook holds a percent sign, which is none of an interpolation",
			Make: edited(param("post_hook = date +%F")), Serves: true},
		{Name: "hook-with-interpolation", Sentence: "a hook holds %(…)s, which the format replaces",
			Make: edited(param("post_hook = logger %(certname)s")), Want: "holds an interpolation"},
		{Name: "boolean-yes", Sentence: "a switch was set to yes",
			Make: edited(param("reuse_key = yes")), Want: "expected True or False for reuse_key"},
		{Name: "key-size-no-number", Sentence: "a unit was written behind a number",
			Make: edited(param("rsa_key_size = 4096 bit")), Want: "expected a number for rsa_key_size"},
		{Name: "key-too-small", Sentence: "the file is from when 1024 bits were enough for somebody",
			Make: edited(swap("key_type = ecdsa\n", "rsa_key_size = 1024\n")), Want: "no CA accepts an RSA key of 1024 bits"},
		{Name: "key-type-unknown", Sentence: "the key type was written as openssl calls it",
			Make: edited(swap("key_type = ecdsa", "key_type = ed25519")), Want: "Invalid key_type specified"},
		{Name: "key-type-missing", Sentence: "certbot before 1.25 did not write key_type, and meant rsa",
			Make: edited(swap("key_type = ecdsa\n", "")), Serves: true},
		{Name: "none-everywhere", Sentence: "letsencrypt 0.1 to 0.5 wrote every option, the unset ones as None",
			Make: edited(param("no_self_upgrade = False\ninstaller = None\nconfig_file = None\nno_verify_ssl = False\nrsa_key_size = None\n" +
				"checkpoints = 1\nhttp01_port = None\npost_hook = None\nmust_staple = False\nverb = certonly\nverbose_count = -3\n" +
				"domains = NAME,\npref_challs = None\nuser_agent = None\ntls_sni_01_port = 443\nhsts = False")), Serves: true},
		{Name: "challenge-that-is-gone", Sentence: "tls-sni-01 was preferred, which no CA has any more",
			Make: edited(param("pref_challs = tls-sni-01,")), Want: "Unrecognized challenges: tls-sni-01"},
		{Name: "challenge-without-comma", Sentence: "the comma behind the only preferred challenge was lost",
			Make: edited(param("pref_challs = http")), Serves: true},
		{Name: "no-authenticator", Sentence: "the line was lost in a merge",
			Make: edited(swap("authenticator = webroot\n", "")), Want: "does not specify an authenticator"},
		{Name: "retired-server", Sentence: "the file names ACMEv1, whose accounts are gone too",
			Make: edited(func(d Dir, text string) string {
				return strings.Replace(text, d.Server, "https://acme-v01.api.letsencrypt.org/directory", 1)
			}), Want: "acme-v02.api.letsencrypt.org", By: "account"},
		{Name: "account-gone", Sentence: "the account's directory was removed, or never copied to this server",
			Make: edited(func(d Dir, text string) string {
				return strings.Replace(text, "account = "+d.Account, "account = 00000000000000000000000000000000", 1)
			}), Want: "does not exist", By: "account"},
		{Name: "account-torn", Sentence: "the disk was full while the account was written",
			Make: tornAccount, Want: "cannot be read", By: "account"},
		{Name: "account-missing", Sentence: "letsencrypt before 0.4 did not write the account; there is one",
			Make: edited(func(d Dir, text string) string { return strings.Replace(text, "account = "+d.Account+"\n", "", 1) }), Serves: true},
		{Name: "version-of-the-future", Sentence: "a newer certbot was here, and left keys that nobody else knows",
			Make: edited(swap("version = 2.1.0", "version = 9.0.0"), param("post_quantum = True")), Serves: true},
		{Name: "autorenew-off-by-hand", Sentence: "autorenew was written in small letters",
			Make: edited(param("autorenew = true")), Serves: true},
	}
}

// syntax is what editors and merges do.
func syntax() []Case {
	return []Case{
		{Name: "byte-order-mark", Sentence: "an editor on Windows saved the file",
			Make: edited(func(_ Dir, text string) string { return "\ufeff" + text }), Serves: true},
		{Name: "carriage-returns", Sentence: "the file went through a copy in text mode",
			Make: edited(func(_ Dir, text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }), Serves: true},
		{Name: "no-line-end", Sentence: "the last line has no end",
			Make: edited(func(_ Dir, text string) string { return strings.TrimSuffix(text, "\n") }), Serves: true},
		{Name: "indented", Sentence: "an editor indented the sections",
			Make: edited(func(_ Dir, text string) string { return strings.ReplaceAll(text, "\n", "\n\t") }), Serves: true},
		{Name: "comments-behind-values", Sentence: "a colleague was told why",
			Make: edited(swap("authenticator = webroot", "authenticator = webroot  # was apache, see the wiki")), Serves: true},
		{Name: "latin-1", Sentence: "a comment holds an umlaut in Latin-1",
			Make: edited(appended("# f\xfcr den Kunden\n")), Want: "not UTF-8"},
		{Name: "duplicate-key", Sentence: "two files were merged by hand",
			Make: edited(param("authenticator = apache")), Want: `duplicate key "authenticator"`},
		{Name: "duplicate-section", Sentence: "a second [renewalparams] was pasted at the end",
			Make: edited(appended("[renewalparams]\nauthenticator = webroot\n")), Want: `duplicate section "renewalparams"`},
		{Name: "merge-conflict", Sentence: "/etc is kept in git, and a merge went wrong",
			Make: edited(swap("[renewalparams]\n", "<<<<<<< HEAD\n[renewalparams]\n")), Want: "neither a section marker nor key = value"},
		{Name: "colon", Sentence: "a line was written as in YAML",
			Make: edited(swap("authenticator = webroot", "authenticator: webroot")), Want: "neither a section marker nor key = value"},
		{Name: "unbalanced-quote", Sentence: "a hook lost its last quote",
			Make: edited(param(`post_hook = "systemctl reload nginx`)), Want: "badly quoted"},
		{Name: "nested-too-deeply", Sentence: "[renewalparams] got a pair of brackets too many",
			Make: edited(swap("[renewalparams]", "[[renewalparams]]")), Want: "nested too deeply"},
		{Name: "reference-lost", Sentence: "the line that names chain.pem was deleted",
			Make: edited(func(d Dir, text string) string { return strings.Replace(text, "chain = "+d.Live("chain")+"\n", "", 1) }), Want: "missing a required file reference: chain"},
		{Name: "relative-reference", Sentence: "paths were shortened to be below the configuration directory",
			Make: edited(func(d Dir, text string) string {
				return strings.Replace(text, d.Live("cert"), fmt.Sprintf("live/%s/cert.pem", d.Name), 1)
			}), Want: "is no absolute path"},
		{Name: "cut-short", Sentence: "the disk was full while an old certbot rewrote the file in place",
			Make: edited(func(_ Dir, text string) string { before, _, _ := strings.Cut(text, "\n# Options"); return before }), Want: "lacks the section [renewalparams]"},
	}
}
