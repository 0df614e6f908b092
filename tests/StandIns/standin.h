// What the stand-ins of hypervisors share: a command line that is read strictly, cards that are opened for real, and a guest
// that tells what it sees of them on its console, answers ARP and ping, and listens to its power button.
#ifndef STANDIN_H
#define STANDIN_H
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

enum { MOST_PAIRS = 16, MOST_CARDS = 8, MOST_WATCHED = 160 };

// One option of a command line. values: 0, 1, or -1 for all words up to the next option.
struct option { const char *name; int values; bool once; void (*take)(const char *value); };

// One network card. With fd[0] == -1 nothing is behind it.
struct card { char mac[18]; int mtu; int pairs; int fd[MOST_PAIRS]; bool probe_fails; };

extern const char *program;
extern struct card cards[MOST_CARDS];
extern int card_count;
extern const char *kernel_words;  // the guest's kernel command line

// Ends the program with a message of its own on standard error.
__attribute__((noreturn, format(printf, 1, 2))) void refuse(const char *format, ...);

// Reads words by a table. unknown is the message for one that is not in it; twice that for an option given again.
void read_options(char **words, const struct option *options, const char *unknown, const char *twice);

// key=value,key=value: the value of a key, or NULL. Values may be in brackets or double quotes.
char *value_of(const char *list, const char *key);
int number_of(const char *list, const char *key, int otherwise);

// Refuses keys that are not among the words of allowed.
void only_keys(const char *list, const char *allowed, const char *message);

enum kernel { KERNEL_ELF, KERNEL_BZIMAGE, KERNEL_OTHER };
enum kernel kernel_of(const char *path, const char *missing);
void must_open(const char *path, const char *message);

struct card *add_card(const char *mac, int pairs);
// Opens a tap by its name, once a pair, as ioctl TUNSETIFF has it; refuses with message (a %s for the kernel's words).
void open_tap(struct card *card, const char *name, const char *message);
// Sees that an inherited descriptor is a queue of a tap or macvtap.
void take_queue(struct card *card, int index, int fd, const char *message);

// The MTU of the link behind a card, for hypervisors that read it by themselves.
void read_mtu(struct card *card);

// The guest's word of its kernel command line, or NULL.
const char *guest_word(const char *name);

// Boots the guest: it prints what it sees, and lives until its end. Hooks of the hypervisor:
extern int console;                                  // where the guest's console goes
extern void (*when_ready)(void);                     // the control socket is made, by default at once
extern void (*guest_ended)(bool reboot);             // the guest powered off or rebooted; returns where the process stays
void watch(int fd, void (*readable)(int fd));
void unwatch(int fd);
void run_guest(void) __attribute__((noreturn));
void power_button(void);
void ctrl_alt_del(void);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A terminal at standard input is set to give keys one by one, and is as it was at the end.
void take_terminal(void);
void leave_terminal(void);

int listen_at(const char *path, int type);           // -1 with errno where it can't be bound
#endif
