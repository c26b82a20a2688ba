/* idle PORT CONNECTIONS [peer] - opens the connections, says hello on each, prints `open N` and holds them until
   standard input ends. */

#include "websocket.h"

#include <stdio.h>
#include <stdlib.h>

enum { PER_SOURCE = 20000 };

int main(int count, char **arguments) {
  if (count < 3) {
    fprintf(stderr, "usage: idle PORT CONNECTIONS [peer]\n");
    return 2;
  }
  int connections = atoi(arguments[2]);
  for (int i = 0; i < connections; i++) {
    channel channel;
    channel_open(&channel, atoi(arguments[1]), i / PER_SOURCE, count <= 3);
  }
  printf("open %d\n", connections);
  fflush(stdout);
  while (getchar() != EOF) {
  }
  return 0;
}
