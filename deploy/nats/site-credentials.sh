#!/bin/sh
# Writes the login of a site as a file for its leaf node: site-credentials.sh SITE_FOLDER > leaf.creds
# Do it again after each renewal of the login (at the latest every 30 days), for example from a timer.
set -eu
umask 077
folder=${1:?the folder of the site}
jwt=$(node --print 'JSON.parse(require("fs").readFileSync(process.argv[1], "utf8")).jwt' "$folder/site.json")
cat <<END
-----BEGIN NATS USER JWT-----
$jwt
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
$(cat "$folder/identity.nk")
------END USER NKEY SEED------
END
