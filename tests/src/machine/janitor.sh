# Holds a private machine until standard input closes, then takes it down.
#
# Arguments: a scratch folder, the machine's name, the script that furnishes it, and the mount points
# of the cgroup hierarchies. The test holds the other end of standard input, so that the machine ends
# with the test however that ends. Says `ready PID` (whose namespaces are the machine's) or `failed`.
set -eu
scratch=$1
name=$2
furnish=$3
shift 3

clean() {
    set +e
    # Nobody reads any more, and a complaint to a closed pipe would end this shell.
    exec > /dev/null 2>&1
    for root in "$@"; do
        if [ -e "$root/$name/cgroup.kill" ]; then echo 1 > "$root/$name/cgroup.kill"; fi
    done
    for root in "$@"; do
        # Processes leave a moment after they are killed.
        for _ in $(seq 500); do
            if [ ! -d "$root/$name" ]; then break; fi
            find "$root/$name" -depth -type d -exec rmdir {} +
            sleep 0.01
        done
    done
    rm -rf "$scratch"
}
trap 'clean "$@"' EXIT

for root in "$@"; do mkdir "$root/$name"; done
(
    trap - EXIT
    for root in "$@"; do echo 0 > "$root/$name/cgroup.procs"; done
    unshare --mount --uts --cgroup sh -c "$furnish" furnish "$name" || echo failed
) < /dev/null &

read -r _ || true
