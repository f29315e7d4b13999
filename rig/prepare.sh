#!/bin/sh
# Makes the machine a host: places that can be written and mounted on, drivers, a network, a state directory.
# Usage: prepare.sh KEEP... -- [TAG OPTIONS TARGET]...
# KEEP are directories of the host that stay visible although they are below /tmp, /run or /dev/shm; TAG is a directory
# of the host that QEMU serves.
set -eu

underneath=/mnt/.isoscope-underneath
mkdir -p "$underneath"
mount --bind / "$underneath" # without what is going to be mounted on it

# Memory, because an overlay cannot be the upper layer of another, and the root is one already.
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp

while [ "$1" != -- ]; do
	case $1 in
	/tmp/* | /run/* | /dev/shm/*)
		if [ -d "$underneath$1" ]; then
			mkdir -p "$1"
			mount --bind "$underneath$1" "$1"
		fi
		;;
	esac
	shift
done
shift
umount "$underneath"
rmdir "$underneath"

while [ $# -gt 0 ]; do
	mkdir -p "$3"
	mount -t 9p -o "trans=virtio,version=9p2000.L,msize=1048576,access=client,nodev,$2" "$1" "$3"
	shift 3
done

mount -t debugfs debugfs /sys/kernel/debug # where KVM counts exits

release=$(uname -r)
mkdir -p "/lib/modules/$release"
mount --bind "$ISOSCOPE_RIG_MODULES/lib/modules/$release" "/lib/modules/$release"
for module in $ISOSCOPE_RIG_DRIVERS; do
	modprobe "$module"
done

# The way out is a card of its own, as a host's management network is; the other card is there to be cut into slices.
ip link set lo up
outside=$(basename "$(ls -d /sys/bus/virtio/drivers/virtio_net/virtio*/net/*)")
ip address add 10.0.2.15/24 dev "$outside"
ip link set "$outside" up
ip route add default via 10.0.2.2
rm -f /etc/resolv.conf # it may be a link to a file of a service that does not run here
echo "nameserver 10.0.2.3" >/etc/resolv.conf

# What the host has built already is there, and nothing that is done to it here reaches the host. What depends on the
# processor, such as libvirt's knowledge of QEMU, is left out.
mkdir -p "$ISOSCOPE_HOME/cache"
for name in images layers cache/guest cache/guest-full cache/disks; do
	if [ -e "$ISOSCOPE_RIG_HOME/$name" ]; then
		ln -s "$ISOSCOPE_RIG_HOME/$name" "$ISOSCOPE_HOME/$name"
	fi
done
