// Gradients of a Stan model as its services compute them: stan::model::log_prob_grad with the Jacobian and all
// constants. Compiled behind the C++ that stanc makes of the model; speaks protocol.h.
#include <stan/io/json/json_data.hpp>
#include <stan/model/log_prob_grad.hpp>

#include <fstream>
#include <iostream>
#include <vector>

#include "protocol.h"

struct Work {
    stan::model::model_base *model;
    std::vector<double> point, gradient, results;
    std::vector<int> integers;
};

static void evaluate(void *self) {
    Work *w = static_cast<Work *>(self);
    w->results[0] = stan::model::log_prob_grad<false, true>(*w->model, w->point, w->integers, w->gradient, &std::cerr);
    std::copy(w->gradient.begin(), w->gradient.end(), w->results.begin() + 1);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    std::ifstream in(argv[1]);
    stan::json::json_data data(in);
    long n;
    double *point = protocol_read(argv[2], &n);
    Work w;
    w.model = &new_model(data, 1, &std::cerr);
    w.point.assign(point, point + n);
    w.results.resize(n + 1);
    if ((long)w.model->num_params_r() != n) {
        std::cerr << "the model has " << w.model->num_params_r() << " unconstrained numbers, the point " << n << "\n";
        return 1;
    }
    Timed timed = {evaluate, &w, w.results.data(), n + 1};
    protocol_serve(&timed);
}
