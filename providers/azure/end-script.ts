/**
 * How a machine of a burst ends itself at Azure, where one that is only switched off is still billed: by its identity's token it
 * deletes its burst's group if it is the last machine in it, else itself with all that hangs on it. A sibling may well hear a
 * master that this one does not.
 */
import { parseArmId } from "./arm-id.ts";

/** Where a machine asks for its identity's token (Microsoft's page "How to use managed identities … to acquire an access token"). */
const tokenUrl =
  "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F";

/** The command's argv. The last two are Azure's, and others in tests. */
export function endArgv(providerId: string, management = "https://management.azure.com", token = tokenUrl): readonly string[] {
  const { subscription, resourceGroup } = parseArmId(providerId);
  const group = `/subscriptions/${subscription}/resourceGroups/${resourceGroup}`;
  return ["/bin/sh", "-c", endScript, "sh", providerId, group, management, token];
}

/**
 * With curl, wget or python3, whichever is there: images differ, and tasks may have taken one off. The token stands in a
 * command line, where every user of the machine can read it; but every user can ask for it as well. It tries for ten minutes,
 * as long as a role may take to be known everywhere.
 */
const endScript = `vm=$1 group=$2 management=$3 identity=$4
call() {
  if command -v curl >/dev/null 2>&1; then
    curl -sSf --max-time 60 --noproxy 169.254.169.254 -X "$1" -H "$3" "$2"
  elif command -v wget >/dev/null 2>&1; then
    no_proxy=169.254.169.254 wget -q -O - --timeout=60 --tries=1 --method="$1" --header="$3" "$2"
  else
    python3 -c 'import sys, urllib.request as u
method, url, header = sys.argv[1:]
request = u.Request(url, method=method, headers=dict([header.split(": ", 1)]))
sys.stdout.write(u.urlopen(request, timeout=60).read().decode())' "$1" "$2" "$3"
  fi
}
end() { call DELETE "$management$1" "Authorization: Bearer $token" >/dev/null; }
left=20
while [ "$left" -gt 0 ]; do
  token=$(call GET "$identity" 'Metadata: true' | sed -n 's/.*"access_token" *: *"\\([^"]*\\)".*/\\1/p')
  if [ -n "$token" ]; then
    machines=$(
      call GET "$management$group/providers/Microsoft.Compute/virtualMachines?api-version=2024-11-01" "Authorization: Bearer $token" |
        tr ',{' '\\n\\n' | grep -c '"vmId"'
    )
    [ "$machines" = 1 ] && end "$group?api-version=2024-11-01" && exit 0
    end "$vm?api-version=2024-11-01&forceDeletion=true" && exit 0
  fi
  left=$((left - 1))
  [ "$left" = 0 ] || sleep 30
done
exit 1`;
