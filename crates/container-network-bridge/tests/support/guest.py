"""Plays a container's virtual machine: a network namespace whose eth0 is the other end of a tap device.

guest.py MAC MTU ADDRESS GATEWAY [ADDRESS6 GATEWAY6]     (standard input is the tap device's descriptor)

Says "ready" when eth0 is up, and passes frames on until it is killed. Started in namespaces of its own (unshare -rn).
"""
import ctypes, fcntl, os, select, struct, subprocess, sys

mac, mtu, address, gateway, *v6 = sys.argv[1:]
ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 2, 0x1000, 0x4000
own = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(own, TUNSETIFF, struct.pack("16sH22x", b"eth0", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
commands = [
    "link set lo up",
    f"link set eth0 address {mac} mtu {mtu} up",
    f"addr add {address} dev eth0",
    f"route add default via {gateway}",
]
if v6:
    commands += [f"addr add {v6[0]} dev eth0 nodad", f"-6 route add default via {v6[1]}"]
for command in commands:
    subprocess.run(["ip", *command.split()], check=True, stdin=subprocess.DEVNULL)
print("ready", flush=True)
os.set_blocking(0, False), os.set_blocking(own, False)
while True:
    for readable in select.select([0, own], [], [])[0]:
        try:
            os.write(own if readable == 0 else 0, os.read(readable, 70000))
        except BlockingIOError:
            pass
