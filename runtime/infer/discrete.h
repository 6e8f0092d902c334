/* How each discrete latent is inferred: by itself, or as infer(..., discrete = {k: "score", effect: {j: "sum"}}) says.
 *
 *   "sum"    summed out; an error where that is not possible. Drawn by a guide: summed out in training (guide_sums.h)
 *   "score"  drawn by the guide, which learns by the score function (score.h); an error where no guide draws it
 *   "draw"   drawn from its own distribution in the model, as importance sampling does
 */
#ifndef INFER_DISCRETE_H
#define INFER_DISCRETE_H

#include "infer/handlers.h"

typedef enum DiscreteWay { DISCRETE_SUM, DISCRETE_SCORE, DISCRETE_DRAW } DiscreteWay;

typedef struct DiscreteChoice {
    const char *name; /* qualified: "effect.j" */
    DiscreteWay way;
    bool met;
    bool guided; /* a hand-written guide draws it */
} DiscreteChoice;

typedef struct DiscreteChoices {
    DiscreteChoice *list;
    int n;
    Span span;          /* of the option */
    const char **notes; /* of the first run: what was drawn, and by whom */
    int nnotes;
    bool drawn;  /* some latent is drawn from the model */
    bool scored; /* some latent is drawn by the automatic part of the guide */
} DiscreteChoices;

struct Pass;
struct Pair;

/* Read the option into pair->discrete. `density`: the method goes by a point (map, laplace), where nothing is drawn. */
void discrete_read(struct Pair *pair, Interp *in, Value option, bool density, Span at);
/* A latent of the model; `guided`: the guide draws it. True: it has been answered as the option says. */
bool discrete_answer(struct Pass *p, Interp *in, Site *s, Entry *e, bool guided);
/* Does the option say something else than "sum" of it? */
bool discrete_chosen(struct Pair *pair, const char *name);
/* Does the option say "sum" of it? */
bool discrete_sums(const DiscreteChoices *d, const char *name);
/* Raises: the option says so, and it is not possible. */
_Noreturn void discrete_refuse_sum(struct Pass *p, Interp *in, const Site *s, const char *hint);
/* After the first run: notes, and whether every name of the option was met. */
void discrete_checked(struct Pass *p, Interp *in);

#endif
