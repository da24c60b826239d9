/* shut MOUNTPOINT FLAG: a power cut for one mounted ext4 or xfs (FS_IOC_SHUTDOWN).
 * FLAG: 0 sync everything first, 1 flush the file system's log, 2 flush nothing (the power cut). */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define IOC_SHUTDOWN _IOR('X', 125, uint32_t)

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: shut MOUNTPOINT 0|1|2\n");
        return 2;
    }
    int fd = open(argv[1], O_RDONLY);
    uint32_t flag = (uint32_t)atoi(argv[2]);
    if (fd < 0 || ioctl(fd, IOC_SHUTDOWN, &flag) != 0) {
        perror("shut");
        return 1;
    }
    return 0;
}
