# Makes a TUN device and gives every packet that is routed into it back after a time: python3 delay-packets.py DEVICE MILLISECONDS
# For kernels without netem.
import fcntl, os, select, struct, sys, time
from collections import deque

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000

device, seconds = sys.argv[1], float(sys.argv[2]) / 1000
tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
print("ready", flush=True)
waiting = deque()
while True:
    select.select([tun], [], [], max(0, waiting[0][0] - time.monotonic()) if waiting else None)
    try:
        for _ in range(64):
            packet = os.read(tun, 65536)
            waiting.append((time.monotonic() + seconds, packet))
    except BlockingIOError:
        pass
    while waiting and waiting[0][0] <= time.monotonic():
        os.write(tun, waiting.popleft()[1])
