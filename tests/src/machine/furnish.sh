# Runs inside the new namespaces: gives the machine its own /run, /etc and /var.
set -e
name=$1

mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs /run
for tree in etc var; do
    mkdir -p "/run/.machine/$tree/upper" "/run/.machine/$tree/work"
    chmod 0755 "/run/.machine/$tree/upper"
    mount -t overlay -o "lowerdir=/$tree,upperdir=/run/.machine/$tree/upper,workdir=/run/.machine/$tree/work" \
        overlay "/$tree"
done
chmod 0700 /run/.machine

mkdir -p /run/pcscd /run/systemd/sessions /run/systemd/seats /run/systemd/users /run/sshd /run/sudo \
    /run/lock /run/home/root
chmod 1777 /run/lock
chmod 0711 /run/sudo
chmod 0700 /run/home/root
: > /run/utmp

# What an installed Countersign or pcscd of this host would bring along.
rm -rf /etc/countersign /etc/reader.conf.d
mkdir -p /etc/reader.conf.d /var/lib/countersign /var/log/countersign
mount -t tmpfs -o mode=0755 tmpfs /var/lib/countersign
mount -t tmpfs -o mode=0755 tmpfs /var/log/countersign

hostname "$name"
echo "$name" > /etc/hostname
printf '127.0.0.1 localhost %s\n' "$name" > /etc/hosts

echo "ready $$"
exec sleep infinity > /dev/null 2>&1
